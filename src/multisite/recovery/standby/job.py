"""The job "standby": restores the volumes of a restore point at the target, marks them, and deletes them when undone.

Volumes are deleted by their token alone, never by their id: one that a recovery has taken over has the recovery's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from multisite.clouds import resources, restore, standby
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources.left import left_by_job
from multisite.clouds.resources.tokens import job_prefix
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.standby import Standby, StandbyState, StandbyVolume
from multisite.jobs.model import Ended, JobKind, JobState, Made, Step, StepContext, StepFailed
from multisite.jobs.outcome import Outcome
from multisite.jobs.values import decode
from multisite.recovery.methods.base import IMPORTS, RESTORES, ProtectionMethod, RestoreTarget
from multisite.recovery.methods.cinder_backups.restore import UNDO_SECONDS
from multisite.recovery.recover.model import PlannedVolume
from multisite.store.recoveries import FINAL, RecoveryRepository
from multisite.store.standby import StandbyRepository

KIND = "standby"
MARKED = "ready"
STATES = {
    JobState.DONE: StandbyState.READY,
    JobState.UNDONE: StandbyState.FAILED,
    JobState.PAUSED: StandbyState.LEFT,
    JobState.UNDO_FAILED: StandbyState.LEFT,
}


@dataclass(frozen=True)
class StandbyOrder:
    """The parameters of a job.  ``bootable``: ids, at the source, of the volumes that servers boot from."""

    standby_id: str
    restore_point_id: str
    digest: str
    target_site: str
    site_project_id: str
    volumes: tuple[PlannedVolume, ...]
    bootable: tuple[str, ...]


def standby_kind(
    sites: Sites,
    standbys: StandbyRepository,
    recoveries: RecoveryRepository,
    methods: Mapping[str, ProtectionMethod],
    *,
    restores_per_site: int,
    now: Callable[[], datetime],
) -> JobKind:
    """The kind to register.  It shares the limits of restores with recoveries."""

    def before_undo(job_id: str) -> None:
        refuse_undo(standbys, recoveries, job_id)

    def amend(known: Standby, wanted: Standby, _job: Ended) -> Standby | None:
        return settled(known, wanted, now())

    return JobKind(
        KIND,
        lambda params: standby_steps(sites, standbys, methods, decode(params, StandbyOrder, KIND)),
        on_failure="undo",
        limits={RESTORES: restores_per_site, IMPORTS: restores_per_site},
        outcome=Outcome(standbys, "standby_id", STATES, amend),
        left=left_by_job(sites, ("volume",), project_of=standbys.project_of_job),
        rule="protection:update",
        before_undo=before_undo,
    )


def settled(known: Standby, wanted: Standby, now: datetime) -> Standby | None:
    """The row of a job that is at rest, from ``wanted``, which has the state of ``STATES``; None: it goes."""
    if wanted.state is StandbyState.READY:
        return replace(wanted, ready_at=known.ready_at or now, checked_at=now, attempts=0)
    if wanted.state is StandbyState.FAILED and known.state is not StandbyState.REFRESHING:
        return None  # it was to be removed, and is
    attempts = known.attempts + 1
    return replace(wanted, volumes=(), ready_at=None, tried_at=now, attempts=attempts)


def refuse_undo(standbys: StandbyRepository, recoveries: RecoveryRepository, job_id: str) -> None:
    """Nobody claims it from now on; Conflict while a recovery has it."""
    found = standbys.of_job(job_id)
    if found is None:
        return

    def removing(known: Standby) -> Standby:
        if known.state is StandbyState.CLAIMED:
            _refuse_needed(recoveries, str(known.recovery_id))
        return replace(known, state=StandbyState.REMOVING)

    standbys.change(found.id, removing)


def _refuse_needed(recoveries: RecoveryRepository, recovery_id: str) -> None:
    """Conflict unless a recovery takes nothing over any more."""
    with suppress(NotFound):
        by = recoveries.get(recovery_id)
        if by.state not in FINAL:
            raise Conflict(
                f"standby: recovery {by.id} of {by.application} takes these volumes over and is {by.state}: "
                "wait for it, or undo it"
            )


def standby_steps(
    sites: Sites, standbys: StandbyRepository, methods: Mapping[str, ProtectionMethod], order: StandbyOrder
) -> list[Step]:
    """Those of a recovery that restore the volumes, and one that marks them ready."""

    def site(ctx: StepContext) -> CloudSite:
        return sites.open(
            order.target_site, for_project=ctx.project_id, project=order.site_project_id or None
        )

    def remove(ctx: StepContext, result: object) -> None:
        restore.remove_by_token(site(ctx), ctx.token, UNDO_SECONDS, late=result is None)

    made: list[Step] = []
    for volume in order.volumes:
        target = RestoreTarget(order.target_site, site, bootable=volume.record.id in order.bootable)
        for step in methods[volume.method].restore_steps(volume, target):
            made.append(replace(step, undo=remove) if step.name == volume.step else step)

    def ready(ctx: StepContext) -> object:
        found = tuple(_marked(site(ctx), ctx, order, volume) for volume in order.volumes)
        standbys.change(order.standby_id, lambda known: replace(known, volumes=found))
        return {"volumes": len(found), "gib": sum(one.size_gib for one in found)}

    needs = tuple(volume.step for volume in order.volumes)
    title = "Mark the volumes as those of the restore point"
    return [*made, Step(MARKED, title, ready, None, needs, None, order.target_site)]


def _marked(site: CloudSite, ctx: StepContext, order: StandbyOrder, volume: PlannedVolume) -> StandbyVolume:
    volume_id = ctx.result_of(volume.step, Made).id
    token = f"{job_prefix(ctx.job_id)}{volume.step}"
    if resources.read_or_none(site, "volume", volume_id) is None:
        raise StepFailed(
            f"volume {volume.record.name or volume.record.id}: {volume_id}, which was restored for it, is gone: it is "
            "restored anew"
        )
    row = standby.mark(site, volume_id, order.digest, order.restore_point_id)
    return StandbyVolume(volume.record.id, volume_id, token, volume.record.size_gib, row.get("updated_at"))
