"""Option 1 of the Multisite documents: freeze all, snapshot all, thaw all, then Cinder backups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Unsupported
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, Severity, describe
from multisite.domain.manifest import Manifest
from multisite.domain.model import Capability, Known, Protection
from multisite.jobs.model import Step, StepContext
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import (
    DeleteOrder,
    PlannedRun,
    ProtectDependencies,
    ProtectOrder,
    RestoreTarget,
    RunRequest,
    StoreAnswer,
    VolumeToRestore,
)
from multisite.recovery.methods.consistent_backup import origin, restore, stored
from multisite.recovery.methods.consistent_backup.backup import Run
from multisite.recovery.methods.consistent_backup.options import BackupOptions, options_of
from multisite.recovery.methods.consistent_backup.origin import not_ours
from multisite.recovery.methods.consistent_backup.payload import NAME, backup_timeout, chain_of
from multisite.recovery.methods.consistent_backup.plan import ProtectPlan, make_plan
from multisite.recovery.methods.consistent_backup.state import read_state
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume

_NEEDS = {
    "compute": "put Nova into the site's service catalog and let the account use it",
    "block-storage": "put Cinder into the site's service catalog and let the account use it",
    "backup": "run cinder-backup there, with the backup store of the recovery site",
    "admin": "give the account the role admin there",
}
_TO_FREEZE = {
    "quiesce": "install multisite-nova in its nova-api, or protect without freezing (quiesce: false)"
}


class ConsistentBackup:
    """See ``base.ProtectionMethod``."""

    name = NAME
    options = BackupOptions

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks; what is not known does not block."""
        needs = {**_NEEDS, **_TO_FREEZE} if options_of(protection.options).quiesce else _NEEDS
        return tuple(
            Finding(
                protection.site,
                capability.name,
                capability.detail or "not there",
                remedy=needs[capability.name],
                severity=Severity.BLOCKING if capability.present is Known.NO else Severity.UNKNOWN,
            )
            for capability in capabilities
            if capability.name in needs and capability.present is not Known.YES
        )

    def plan(self, site: CloudSite, request: RunRequest) -> PlannedRun:
        """Decide on full and incremental backups and on who is frozen."""
        application, options = request.application, options_of(request.protection.options)
        try:
            state = read_state(site, application, ask_quiesce=options.quiesce)
        except (NotFoundInSite, Unsupported) as error:
            raise Conflict(f"application {application.name}: {error.message}") from error
        backups = volumes.backups(site)
        plan = make_plan(
            state.servers, state.volumes, backups, request.previous, options, request.incremental
        )
        if plan.problems:
            raise Conflict(describe(plan.problems))
        return PlannedRun(
            _summary(plan), plan.to_json(), plan.incremental, plan.parent_id, plan.quiesced, plan.size_gib
        )

    def steps(self, order: ProtectOrder, dependencies: ProtectDependencies) -> list[Step]:
        """Check, capture, back up, write the manifest, clean up."""
        return Run(order, dependencies).steps()

    def delete(self, manifest: Manifest) -> Mapping[str, JsonValue]:
        """Only its own backup of each volume: the older ones are its parents'."""
        chains = [(volume, chain_of(volume)) for volume in manifest.volumes]
        return {
            "backups": [
                {"id": chain[-1].id, "size_gib": v.size_gib, "volume_id": v.id}
                for v, chain in chains
                if chain
            ]
        }

    def delete_steps(self, order: DeleteOrder, dependencies: ProtectDependencies) -> list[Step]:
        """One step for all backups; deleting one that is gone already is harmless.  What is not ours is left."""
        backups: Any = order.data["backups"]

        def run(ctx: StepContext) -> dict[str, list[str]]:
            site = dependencies.sites.open(order.site, for_project=ctx.project_id)
            foreign = not_ours(site, {backup["id"]: backup.get("volume_id") for backup in backups})
            for id, why in foreign.items():
                ctx.event(f"backup {id} is left alone: {why}")
            for done, backup in enumerate(backups):
                ctx.progress(done, len(backups), "backups")
                if backup["id"] not in foreign:
                    volumes.delete_backup(site, backup["id"], timeout=backup_timeout(backup["size_gib"]))
            ctx.progress(len(backups), len(backups), "backups")
            return {"left": sorted(foreign)}

        title = f"Delete {len(backups)} backups"
        return [Step("backups", title, run, limit=f"delete:{order.site}", site=order.site)]

    def check_store(self, store: ManifestStore, manifest: Manifest) -> StoreAnswer:
        """Each backup's files, where the driver keeps files."""
        return stored.check(store, manifest)

    def check_source(
        self, site: CloudSite, manifest: Manifest, stored: Collection[str] = ()
    ) -> tuple[Finding, ...]:
        """Each backup is one that we made of that volume, and is there still."""
        return origin.check(site, manifest, stored)

    def target_parts(self, site: CloudSite) -> Mapping[str, Callable[[], object]]:
        """The backups there are already, and the services that would restore."""
        return restore.target_parts(site)

    def plan_restore(self, draft: Draft, volumes: Sequence[VolumeToRestore]) -> list[PlannedVolume]:
        """Each from the newest backup of its chain."""
        return restore.plan_restore(draft, volumes)

    def restore_steps(self, volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
        """Import the records of the chain, then restore."""
        return restore.restore_steps(volume, target)


def _summary(plan: ProtectPlan) -> str:
    incremental = sum(v.incremental for v in plan.volumes)
    full = len(plan.volumes) - incremental
    parts = [f"{n} {what}" for n, what in ((full, "full"), (incremental, "incremental")) if n]
    return f"{' and '.join(parts)} backups, {plan.size_gib} GiB"
