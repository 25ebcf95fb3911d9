"""The steps in the application's site before a final run, and the question whether a member that it is of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from multisite.clouds import build
from multisite.clouds.connect import CloudSite
from multisite.domain.findings import Finding, describe
from multisite.domain.model import Application, Member
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.jobs.values import plain_object
from multisite.recovery.methods.base import fresh
from multisite.recovery.protect.runs import begun, order_of
from multisite.recovery.recover.moves.dependencies import (
    FINAL,
    MEMBERS,
    STOP_SECONDS,
    MoveDependencies,
)
from multisite.recovery.recover.moves.model import MoveOrder
from multisite.recovery.recover.moves.source import (
    Look,
    SeenMember,
    look,
    newest_actions,
    obstacles,
    refuse_running,
)

OF_A_MEMBER = -1
"""Epoch of a restore point that has one member of an application: never the current one, so that nothing but the move
that made it builds on it or recovers from it."""


@dataclass(frozen=True)
class Stopped:
    """``asked_at`` None: it was off already.  Early rather than late where that is not known for certain."""

    asked_at: datetime | None


@dataclass(frozen=True)
class Final:
    """``newest``: by member the newest action while all were off; ``order``: of the final run."""

    newest: dict[str, str]
    order: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Members that are stopped together (``application`` has them alone), and the restore point made of them.

    ``part``: there are others.  ``look``: what is in the way besides, by what was seen of them.
    """

    application: Application
    restore_point_id: str
    part: bool = False
    look: Callable[[Look], Iterable[Finding]] = lambda _: ()


class Source:
    """One batch of a move; in a whole move there is one, of all members."""

    def __init__(self, here: MoveDependencies, order: MoveOrder, batch: Batch) -> None:
        self._here, self._order, self._batch = here, order, batch
        self._app = batch.application
        self._members = sorted(self._app.members, key=lambda member: member.order)
        self.stops = tuple(f"stop-{number}" for number in range(1, len(self._members) + 1))

    def steps(self) -> list[Step]:
        app, count = self._app, len(self._members)
        which = f"member {self._members[0].server_name}" if self._batch.part else f"the {count} members"
        stopping = [self._stop_step(number, member) for number, member in enumerate(self._members)]
        off = "it is off" if self._batch.part else "all members are off"
        return [
            Step(MEMBERS, f"Look at {which} of {app.name} in {app.site}", self._look, site=app.site),
            *reversed(stopping),
            Step(FINAL, f"Plan the final run: {off}", self._plan_run, None, self.stops, site=app.site),
        ]

    def open(self, ctx: StepContext) -> CloudSite:
        return self._here.sites.open(self._app.site, for_project=ctx.project_id)

    def check(self, ctx: StepContext, only: str | None = None) -> None:
        """StepFailed when a member (``only``: this one) runs, or has run since the final run was planned."""
        members = ctx.result_of(MEMBERS, Look).members
        wanted = [member for member in members if only in (None, member.id)]
        newest = ctx.result_of(FINAL, Final).newest
        refuse_running(self.open(ctx), wanted, newest, self._order.recovery_id)

    def stopped_at(self, ctx: StepContext) -> datetime | None:
        """When the first member was asked to stop; None when all were off."""
        asked = (ctx.result_of(stop, Stopped).asked_at for stop in self.stops)
        return min((at for at in asked if at is not None), default=None)

    def _look(self, ctx: StepContext) -> Look:
        """As the preview has; nothing is stopped yet."""
        seen = look(site := self.open(ctx), self._app, self._here.now())
        if said := describe((*obstacles(site, seen), *self._batch.look(seen))):
            raise StepFailed(said)
        return seen

    def _stop_step(self, number: int, member: Member) -> Step:
        """Each waits for those that boot after it; so an undo starts them in boot order."""
        later = self.stops[number + 1 : number + 2]
        return Step(
            self.stops[number],
            f"Stop server {member.server_name}",
            partial(self._stop, member.server_id),
            partial(self._start_again, member.server_id),
            (MEMBERS, *later),
            site=self._app.site,
            result=Stopped,
        )

    def _stop(self, server_id: str, ctx: StepContext) -> Stopped:
        seen, member = self._seen(ctx, server_id)
        if not member.was_on:
            return Stopped(None)
        # An earlier attempt may have stopped it: then the look before is the last moment at which it certainly ran.
        asked_at = self._here.now() if fresh(ctx) else seen.at
        build.stop_server(
            self.open(ctx), member.id, timeout=STOP_SECONDS,
            on_poll=lambda status: ctx.progress(0, 1, "servers", status), cancelled=ctx.cancelled,
        )  # fmt: skip
        ctx.progress(1, 1, "servers", "off")
        return Stopped(asked_at)

    def _start_again(self, server_id: str, ctx: StepContext, _result: Stopped | None) -> None:
        _, member = self._seen(ctx, server_id)
        if member.was_on:
            build.start_server(self.open(ctx), member.id, timeout=STOP_SECONDS)

    def _seen(self, ctx: StepContext, server_id: str) -> tuple[Look, SeenMember]:
        seen = ctx.result_of(MEMBERS, Look)
        return seen, next(member for member in seen.members if member.id == server_id)

    def _plan_run(self, ctx: StepContext) -> Final:
        """Now that it is known what the run is of; its restore point is shown from here on."""
        order, batch, protections = self._order, self._batch, self._here.protections
        members = ctx.result_of(MEMBERS, Look).members
        newest = newest_actions(self.open(ctx), members)
        dependencies = protections.dependencies
        protection = dependencies.protections.get(order.protection_id)
        request, planned = protections.plan(protection, self._app, batch.restore_point_id)
        if not planned.quiesced:
            raise StepFailed(f"the final run would not be consistent: {planned.summary}: undo the move")
        made, notes = self._kept_as()
        dependencies.restore_points.save(replace(begun(request, planned, ctx.job_id), epoch=made.epoch))
        stopped = {member.id: member.ports for member in members if member.was_on}
        run = order_of(replace(request, application=made), planned, notes, stopped)
        return Final(newest, plain_object(run.to_params(), "order"))

    def _kept_as(self) -> tuple[Application, tuple[str, ...]]:
        """What the restore point is of, and what an operator should know of it."""
        target, app = self._order.target_site, self._app
        if not self._batch.part:
            return app, (f"made for the move to {target}, with the application stopped",)
        name = self._members[0].server_name
        return replace(app, epoch=OF_A_MEMBER), (
            f"made for the move to {target}, of server {name} alone, with that stopped: it is no restore point of the "
            "application",
        )
