"""The steps of a drill that compare its data with what the restore point says of them.

They need nothing of the target, and run beside the restores.  What can be compared is the method's to say
(``VerifiesStore``); of a method that cannot, and of a store that is elsewhere, the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from multisite.domain.drill import VolumeDigest
from multisite.domain.manifest import VolumeRecord
from multisite.jobs.model import Step, StepContext
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.recover.model import PlannedVolume, RecoverPlan

VERIFIES = "drill-verifies"
"""Limit of the steps that compare data."""
_STEP = "verify-"


@runtime_checkable
class VerifiesStore(Protocol):
    """A method whose data in the backup store can be compared with digests of when they were written."""

    def verify_store(
        self, store: ManifestStore, volume: VolumeRecord, on_progress: Callable[[float, float], object]
    ) -> VolumeDigest:
        """Compare every block.  ``on_progress`` gets the bytes compared, and of how many.

        Raises StepFailed naming volume, backup, block and chunk of the first that differs; StoreUnavailable.
        """


def verify_steps(
    plan: RecoverPlan, store: ManifestStore, methods: Mapping[str, ProtectionMethod]
) -> list[Step]:
    """One for each volume."""
    return [
        _step(number, volume, store, methods.get(volume.method))
        for number, volume in enumerate(plan.volumes, 1)
    ]


def is_verifying(step: str) -> bool:
    """Whether a step of this name is one of these."""
    return step.startswith(_STEP)


def _step(number: int, volume: PlannedVolume, store: ManifestStore, method: object) -> Step:
    record = volume.record

    def run(ctx: StepContext) -> VolumeDigest:
        if volume.details.get("empty"):
            return VolumeDigest(
                record.name, record.id, (), unknown="its data was given up: it comes back empty"
            )
        if not isinstance(method, VerifiesStore):
            return VolumeDigest(
                record.name, record.id, (), unknown=f"method {volume.method} keeps no digests"
            )

        def on_progress(done: float, total: float) -> None:
            ctx.progress(done / 2**20, total / 2**20, "MiB")

        found = method.verify_store(store, record, on_progress)
        if found.unknown:
            ctx.event(f"volume {record.name or record.id} was not compared: {found.unknown}")
        return found

    title = f"Compare the backups of volume {record.name or record.id} with their digests"
    return Step(f"{_STEP}{number}", title, run, limit=VERIFIES)
