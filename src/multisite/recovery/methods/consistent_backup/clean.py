"""The end of a run: delete its snapshots, and what earlier runs left (also what took effect after their undo).

Never costs the restore point: what cannot be deleted is told, and tried again by the next run.
"""

from __future__ import annotations

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError
from multisite.domain.model import RestorePointState
from multisite.jobs.model import StepContext
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.consistent_backup.capture import Captured, remove_snapshots
from multisite.recovery.methods.consistent_backup.payload import NAME, backup_timeout, chain_of


def clean_up(
    dependencies: ProtectDependencies, order: ProtectOrder, ctx: StepContext
) -> dict[str, list[str]]:
    """Returns ``{"left": [what is left, in words]}``."""
    site = dependencies.sites.open(order.application.site, for_project=ctx.project_id)
    earlier = dependencies.restore_points.list(application_id=order.application.id)
    ended = {r.job_id for r in earlier if r.job_id and r.state != RestorePointState.RUNNING}
    failed = {r.job_id for r in earlier if r.job_id and r.state == RestorePointState.FAILED} - {ctx.job_id}
    tokens = {f"multisite:{job}:capture" for job in {*ended, ctx.job_id}}
    taken = ctx.result_of("capture", Captured).snapshots.values()
    left = [*remove_snapshots(site, tokens, taken), *_remove_stray_backups(dependencies, site, failed)]
    for line in left:
        ctx.event(f"{line}; the next run tries again")
    return {"left": left}


def _remove_stray_backups(dependencies: ProtectDependencies, site: CloudSite, failed: set[str]) -> list[str]:
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
    kept = [v for m in stored.manifests for v in m.volumes if v.payload and v.payload.method == NAME]
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
