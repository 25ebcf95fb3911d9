"""The end of a run: delete its snapshots, and what earlier runs left (also what took effect after their undo).

Never costs the restore point: what cannot be deleted is told, and tried again by the next run.
"""

from __future__ import annotations

from multisite.jobs.model import StepContext
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.removal import earlier_jobs, remove_stray_backups
from multisite.recovery.methods.cinder_backups.snapshots import remove_snapshots
from multisite.recovery.methods.consistent_backup.capture import Captured


def clean_up(
    dependencies: ProtectDependencies, order: ProtectOrder, ctx: StepContext
) -> dict[str, list[str]]:
    """Returns ``{"left": [what is left, in words]}``."""
    site = dependencies.sites.open(order.application.site, for_project=ctx.project_id)
    ended, failed = earlier_jobs(dependencies, order, ctx.job_id)
    tokens = {f"multisite:{job}:capture" for job in {*ended, ctx.job_id}}
    taken = ctx.result_of("capture", Captured).snapshots.values()
    left = [*remove_snapshots(site, tokens, taken), *remove_stray_backups(dependencies, site, failed)]
    for line in left:
        ctx.event(f"{line}; the next run tries again")
    return {"left": left}
