"""Deleting backups: those of a restore point, and those that runs left which could not be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError
from multisite.domain.manifest import Manifest
from multisite.domain.model import RestorePointState
from multisite.jobs.model import Step, StepContext
from multisite.recovery.methods.base import DeleteOrder, ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.origin import not_ours
from multisite.recovery.methods.cinder_backups.payload import NAMES, backup_timeout, chain_of


def own_backups(manifest: Manifest) -> Mapping[str, JsonValue]:
    """What ``delete_steps`` need: its own backup of each volume, for the older ones are its parents'."""
    chains = [(volume, chain_of(volume)) for volume in manifest.volumes]
    return {
        "backups": [
            {"id": chain[-1].id, "size_gib": v.size_gib, "volume_id": v.id} for v, chain in chains if chain
        ]
    }


def delete_steps(order: DeleteOrder, dependencies: ProtectDependencies) -> list[Step]:
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


def earlier_jobs(
    dependencies: ProtectDependencies, order: ProtectOrder, this: str
) -> tuple[set[str], set[str]]:
    """Ids of the jobs of the application's runs that have ended, and of those of them that failed, ``this`` aside."""
    earlier = dependencies.restore_points.list(application_id=order.application.id)
    ended = {r.job_id for r in earlier if r.job_id and r.state != RestorePointState.RUNNING}
    failed = {r.job_id for r in earlier if r.job_id and r.state == RestorePointState.FAILED} - {this}
    return ended, failed


def remove_stray_backups(dependencies: ProtectDependencies, site: CloudSite, failed: set[str]) -> list[str]:
    """Backups of runs that failed and whose undo could not remove them.

    One that any manifest needs is none of them, whatever it carries; nor can that be known while one is damaged.
    """
    if not failed:
        return []
    try:
        stray = volumes.backups_of_jobs(site, failed)
    except SiteError as error:
        return [f"backups of failed runs could not be looked for: {error}"]
    if not stray:
        return []
    stored = dependencies.manifests.list()
    if stored.damaged:
        return [f"{len(stray)} backups of failed runs are left: a manifest is damaged and may need them"]
    kept = [v for m in stored.manifests for v in m.volumes if v.payload and v.payload.method in NAMES]
    needed = {backup.id for volume in kept for backup in chain_of(volume)}
    left = []
    for backup in stray:
        if backup.id in needed:
            continue
        try:
            volumes.delete_backup(site, backup.id, backup_timeout(backup.size_gib))
        except SiteError as error:
            left.append(f"backup {backup.id} of volume {backup.volume_id} is left: {error}")
    return left
