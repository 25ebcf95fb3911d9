"""The job "stop-source": shut the servers of earlier copies off, the last booted first.

Every step looks first whether the recovery's copy is still the application: only then are the others old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds import build
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.errors import Conflict
from multisite.domain.model import Recovery, RecoveryState
from multisite.domain.old_copy import GONE, OFF, OldServer
from multisite.jobs.model import Ended, JobKind, Json, Step, StepContext, StepFailed
from multisite.jobs.values import decode
from multisite.recovery.epochs import EpochStore

KIND = "stop-source"
LOOK = "look"
STOP_SECONDS = 600.0
"""So long a guest may take to shut down, and to boot again in an undo."""


@dataclass(frozen=True)
class StopOrder:
    """Parameters of the job.  ``servers``: those of earlier copies, in the order in which they are stopped."""

    recovery_id: str
    application_id: str
    application: str
    servers: tuple[OldServer, ...]


@dataclass(frozen=True)
class Seen:
    """Ids of the servers that were not off before the first was stopped."""

    on: tuple[str, ...]


@dataclass(frozen=True)
class Stopped:
    """Whether it was this job that did it."""

    stopped: bool


@dataclass(frozen=True)
class StopDependencies:
    """``look``: asks the old sites of an application anew, once the job is at its end."""

    sites: Sites
    epochs: EpochStore
    recovery_of_job: Callable[[str], Recovery]
    look: Callable[[str], object]


def stop_kind(here: StopDependencies) -> JobKind:
    """The kind to register; it pauses on failure: what is off is off."""

    def build_steps(params: Mapping[str, Json]) -> list[Step]:
        order = decode(params, StopOrder, KIND)
        steps = [Step(LOOK, "Look which servers of the old copy are on", lambda ctx: _look(here, order, ctx))]
        for number, server in enumerate(order.servers, start=1):
            name, needs = f"stop-{number}", tuple(step.name for step in steps)
            steps.append(_stop_step(here, order, server, name, needs))
        return steps

    def finished(job: Ended) -> None:
        here.look(decode(job.params, StopOrder, KIND).application_id)

    return JobKind(
        KIND,
        build_steps,
        on_failure="pause",
        finished=finished,
        before_undo=lambda job_id: refuse_start(here.recovery_of_job(job_id)),
        rule="recovery:stop_source",
        uses_store=True,
    )


def refuse_start(recovery: Recovery) -> None:
    """Conflict unless the recovery was undone: to start the old copy makes two that are active."""
    if recovery.state is not RecoveryState.UNDONE:
        raise Conflict(
            f"recovery {recovery.id}: its copy in {recovery.target_site} is the application: the servers of the old "
            f"copy are not started beside it: first openstack multisite recovery undo {recovery.id}, then undo this "
            "job again"
        )


def require_current(epochs: EpochStore, application_id: str, recovery_id: str) -> None:
    """StepFailed unless the recovery's copy is the application."""
    current = epochs.read(application_id).current
    if current is None or current.recovery_id != recovery_id:
        now = (
            f"recovery {current.recovery_id} in {current.site}" if current else "the copy that was described"
        )
        raise StepFailed(
            f"the application is not the copy of recovery {recovery_id} any more, but {now}: nothing was changed"
        )


def open_for(sites: Sites, ctx: StepContext, server: OldServer) -> CloudSite:
    """The site, in the project the server is in."""
    return sites.open(server.site, for_project=ctx.project_id, project=server.site_project_id or None)


def read_own(site: CloudSite, server: OldServer) -> dict[str, Any] | None:
    """As Nova shows it; None: it is gone.  StepFailed for one that is in another project."""
    try:
        row = build.read_server(site, server.id)
    except NotFoundInSite:
        return None
    if row["tenant_id"] != site.project_id:
        raise StepFailed(
            f"server {server.name} ({server.id}) in site {site.name} is of project {row['tenant_id']}, not "
            f"{site.project_id}: it is left alone"
        )
    return row


def _look(here: StopDependencies, order: StopOrder, ctx: StepContext) -> Seen:
    """Before anything is stopped: an undo starts what was on then, and nothing else."""
    require_current(here.epochs, order.application_id, order.recovery_id)
    rows = {server.id: read_own(open_for(here.sites, ctx, server), server) for server in order.servers}
    return Seen(tuple(id for id, row in rows.items() if row is not None and row["status"] not in OFF))


def _stop_step(
    here: StopDependencies, order: StopOrder, server: OldServer, name: str, needs: tuple[str, ...]
) -> Step:
    def run(ctx: StepContext) -> Stopped:
        require_current(here.epochs, order.application_id, order.recovery_id)
        site = open_for(here.sites, ctx, server)
        row = read_own(site, server)
        was_on = server.id in ctx.result_of(LOOK, Seen).on
        if row is None or row["status"] in OFF:
            ctx.event(f"server {server.name} is {GONE if row is None else row['status']}")
            return Stopped(was_on and row is not None)
        _refuse_locked(site, server, row, "stop")
        build.stop_server(
            site, server.id, timeout=STOP_SECONDS, on_poll=lambda state: ctx.progress(0, 1, detail=state),
            cancelled=ctx.cancelled,
        )  # fmt: skip
        return Stopped(True)

    def undo(ctx: StepContext, result: Stopped | None) -> None:
        if not (result.stopped if result else server.id in ctx.result_of(LOOK, Seen).on):
            return
        if here.epochs.read(order.application_id).number != server.epoch:
            raise StepFailed(f"server {server.name} is of an old copy: it is not started beside another")
        site = open_for(here.sites, ctx, server)
        row = read_own(site, server)
        if row is None:
            raise StepFailed(f"server {server.name} ({server.id}) is gone from site {site.name}")
        _refuse_locked(site, server, row, "start")
        build.start_server(site, server.id, timeout=STOP_SECONDS)

    title = f"Shut off server {server.name} of the old copy"
    return Step(name, title, run, undo, needs, site=server.site, result=Stopped)


def _refuse_locked(site: CloudSite, server: OldServer, row: Mapping[str, Any], verb: str) -> None:
    """Nova lets none but administrators change one that is locked, and waits are long."""
    if row.get("locked") and "admin" not in site.roles:
        raise StepFailed(
            f"server {server.name} ({server.id}) in site {site.name} is locked: openstack server unlock {server.id} "
            f"there, then resume, or openstack server {verb} {server.id} as an administrator"
        )
