"""What a protection method does beside, whose volumes can be kept restored at the target for a recovery to come."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from multisite.clouds.standby import KeptVolume
from multisite.domain.standby import StandbyVolume
from multisite.jobs.model import Step
from multisite.recovery.methods.base import RestoreTarget
from multisite.recovery.recover.model import PlannedVolume


@runtime_checkable
class KeepsStandby(Protocol):
    """A method that restores copies of the data.  One whose data are at the target already has no use for it."""

    def kept_volume(
        self, volume: PlannedVolume, known: StandbyVolume, digest: str, default_type: str | None
    ) -> KeptVolume | None:
        """What the site has to show of a volume that was restored before to be taken over in place of this one.

        ``digest``: of the restore point's manifest; ``default_type``: the target's.  None: there is nothing to keep.
        """

    def promote_steps(self, volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
        """As ``ProtectionMethod.restore_steps`` of a volume with a ``standby``: take that over, or else restore."""
