"""What all methods do alike whose data are Cinder's backups: delete, look for, compare and restore them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from pydantic import JsonValue

from multisite.clouds.connect import CloudSite
from multisite.clouds.standby import KeptVolume
from multisite.domain.drill import VolumeDigest
from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest, VolumeRecord
from multisite.domain.standby import StandbyVolume
from multisite.jobs.model import Step
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import (
    DeleteOrder,
    ProtectDependencies,
    RestoreTarget,
    StoreAnswer,
    VolumeToRestore,
)
from multisite.recovery.methods.cinder_backups import blocks, origin, removal, restore, standby, stored
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume


class CinderBackups:
    """The part of ``base.ProtectionMethod`` that does not depend on how the backups came to be."""

    def delete(self, manifest: Manifest) -> Mapping[str, JsonValue]:
        """Only its own backup of each volume."""
        return removal.own_backups(manifest)

    def delete_steps(self, order: DeleteOrder, dependencies: ProtectDependencies) -> list[Step]:
        """One step for all backups."""
        return removal.delete_steps(order, dependencies)

    def check_store(self, store: ManifestStore, manifest: Manifest) -> StoreAnswer:
        """Each backup's files, where the driver keeps files."""
        return stored.check(store, manifest)

    def verify_store(
        self, store: ManifestStore, volume: VolumeRecord, on_progress: Callable[[float, float], object]
    ) -> VolumeDigest:
        """Every block of every backup of its chain (``drills.verify.VerifiesStore``)."""
        return blocks.verify(store, volume, on_progress)

    def check_source(
        self, site: CloudSite, manifest: Manifest, stored: Collection[str] = ()
    ) -> tuple[Finding, ...]:
        """Each backup is one that we made of that volume, and is there still."""
        return origin.check(site, manifest, stored)

    def target_parts(self, site: CloudSite, _manifest: Manifest) -> Mapping[str, Callable[[], object]]:
        """The backups there are already, and the services that would restore."""
        return restore.target_parts(site)

    def plan_restore(self, draft: Draft, volumes: Sequence[VolumeToRestore]) -> list[PlannedVolume]:
        """Each from the newest backup of its chain."""
        return restore.plan_restore(draft, volumes)

    def restore_steps(self, volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
        """Import the records of the chain, then restore."""
        return restore.restore_steps(volume, target)

    def kept_volume(
        self, volume: PlannedVolume, known: StandbyVolume, digest: str, default_type: str | None
    ) -> KeptVolume | None:
        """By its backup, too (``methods.standby.KeepsStandby``)."""
        return standby.kept(volume, known, digest, default_type)

    def promote_steps(self, volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
        """Take it over, or import and restore (``methods.standby.KeepsStandby``)."""
        return standby.promote_steps(volume, target)


def counted(full: int, incremental: int) -> str:
    """How many backups of which kind, in words: "2 full and 4 incremental backups"."""
    parts = [f"{n} {what}" for n, what in ((full, "full"), (incremental, "incremental")) if n]
    return f"{' and '.join(parts)} backups"
