"""The end of a run: delete its snapshots, and what earlier runs left (also what took effect after their undo).

Never costs the restore point: what cannot be deleted is told, and tried again by the next run.
"""

from __future__ import annotations

from multisite.clouds.errors import SiteError
from multisite.domain.model import RestorePointState
from multisite.jobs.model import Json, StepContext
from multisite.recovery.protect.capture import remove_snapshots
from multisite.recovery.protect.cloud import ProtectCloud
from multisite.recovery.protect.order import ProtectDependencies, ProtectOrder, backup_patience


def clean_up(ports: ProtectDependencies, order: ProtectOrder, ctx: StepContext) -> Json:
    """Returns ``{"left": [what is left, in words]}``."""
    cloud = ports.open(order.application.site)
    earlier = ports.restore_points.list(application_id=order.application.id)
    ended = {r.job_id for r in earlier if r.job_id and r.state != RestorePointState.RUNNING}
    failed = {r.job_id for r in earlier if r.job_id and r.state == RestorePointState.FAILED} - {ctx.job_id}
    tokens = {f"multisite:{job}:capture" for job in {*ended, ctx.job_id}}
    taken = ctx.result_of("capture")["snapshots"].values()
    left = [*remove_snapshots(cloud, tokens, taken), *_remove_stray_backups(ports, cloud, failed)]
    for line in left:
        ctx.event(f"{line}; the next run tries again")
    return {"left": left}


def _remove_stray_backups(ports: ProtectDependencies, cloud: ProtectCloud, failed: set[str]) -> list[str]:
    """Backups of runs that failed and whose undo could not remove them.

    One that any manifest needs is none of them, whatever it carries; nor can that be known while one is damaged.
    """
    if not failed:
        return []
    try:
        stray = cloud.backups_of_jobs(failed)
    except SiteError as error:
        return [f"backups of failed runs could not be looked for: {error}"]
    if not stray:
        return []
    stored = ports.manifests.list()
    if stored.damaged:
        return [f"{len(stray)} backups of failed runs are left: a manifest is damaged and may need them"]
    needed = {b.id for m in stored.manifests for volume in m.volumes for b in volume.backups}
    left = []
    for backup in stray:
        if backup.id in needed:
            continue
        try:
            cloud.delete_backup(backup.id, backup_patience(backup.size_gib))
        except SiteError as error:
            left.append(f"backup {backup.id} of volume {backup.volume_id} is left: {error}")
    return left
