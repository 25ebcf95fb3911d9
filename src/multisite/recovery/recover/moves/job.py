"""The job "move": stop the application, make a restore point of it, recover from that.

What is recovered is known only when the restore point is there, so the job grows twice (``JobKind.grow``): by the steps
of the protection's method, when all members are off, and by those of a recovery, when the manifest is written.

An undo removes what is at the target, then starts the members that this job has stopped, and beside that takes the
restore point away: so the steps of the final run need none of those that stop, and those of the recovery need all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from multisite.clouds import build
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources.left import left_by_job
from multisite.domain.caller import Caller
from multisite.domain.epoch import Epoch
from multisite.domain.errors import NotFound
from multisite.domain.findings import blockers, describe
from multisite.domain.model import Member, Purpose, Recovery, RestorePointState
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step, StepContext, StepFailed
from multisite.jobs.outcome import Outcome, failure
from multisite.jobs.values import plain_object
from multisite.recovery.epochs import EpochStore
from multisite.recovery.methods.base import CALLS, IMPORTS, RESTORES, ProtectionMethod, fresh
from multisite.recovery.plans.outside import Outside
from multisite.recovery.plans.question import Question
from multisite.recovery.protect.job import MADE as MADE_BY_RUNS
from multisite.recovery.protect.job import note_outcome
from multisite.recovery.protect.runs import begun, order_of
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.decider import Decider
from multisite.recovery.recover.dns.plan import as_shown
from multisite.recovery.recover.dns.steps import RECORDS, RECORDS_AT_ONCE
from multisite.recovery.recover.hooks.steps import HOOKS, HOOKS_AT_ONCE, with_hooks
from multisite.recovery.recover.job import (
    MADE,
    RECOVERY_STATES,
    SUMMARY,
    flavor_in_use,
    recover_steps,
    summarize,
)
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.moves.model import MoveOrder
from multisite.recovery.recover.moves.source import (
    Look,
    SeenMember,
    look,
    newest_actions,
    obstacles,
    refuse_running,
)
from multisite.recovery.recover.steps import Ready, Steps
from multisite.store.recoveries import RecoveryRepository

KIND = "move"
MEMBERS, FINAL, PLAN, SOURCE = "members", "final", "plan", "source"
STOP_SECONDS = 600.0
"""So long a guest may take to shut down, or a member to start again."""


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
class Planned:
    plan: dict[str, Any]


@dataclass(frozen=True)
class MoveDependencies:
    """What the job works with.  Limits: how many at the same time."""

    sites: Sites
    recoveries: RecoveryRepository
    epochs: EpochStore
    protections: ProtectionService
    decider: Decider
    methods: Mapping[str, ProtectionMethod]
    restores_per_site: int
    calls_per_site: int
    now: Callable[[], datetime]
    before_undo: Callable[[str], None]
    """As ``JobKind.before_undo``."""
    outside: Outside


def move_kind(here: MoveDependencies) -> JobKind:
    """The kind to register; its parameters are a ``MoveOrder``."""

    def amend(_known: Recovery, wanted: Recovery, job: Ended) -> Recovery:
        gone = job.state is JobState.UNDONE
        ended_at = None if job.state is JobState.PAUSED else here.now()
        return replace(wanted, ended_at=ended_at, servers=() if gone else wanted.servers)

    at_target = left_by_job(here.sites, MADE, stays=flavor_in_use, project_of=here.recoveries.project_of_job)
    at_source = left_by_job(here.sites, MADE_BY_RUNS)

    def left(job_id: str, project_id: str, sites: Mapping[str, str]) -> list[tuple[str, str]]:
        target = here.recoveries.of_job(job_id).target_site
        of_target = {step: site for step, site in sites.items() if site == target}
        of_source = {step: site for step, site in sites.items() if site != target}
        return [*at_target(job_id, project_id, of_target), *at_source(job_id, project_id, of_source)]

    fine = (JobState.DONE, JobState.UNDONE)
    return JobKind(
        KIND,
        lambda params: move_steps(here, MoveOrder.from_params(params)),
        on_failure="pause",
        limits={
            RESTORES: here.restores_per_site,
            IMPORTS: here.restores_per_site,
            CALLS: here.calls_per_site,
            HOOKS: HOOKS_AT_ONCE,
            RECORDS: RECORDS_AT_ONCE,
        },
        finished=partial(_finished, here),
        grow=grow,
        outcome=Outcome(here.recoveries, "recovery_id", RECOVERY_STATES, amend, without_error=fine),
        left=left,
        rule="recovery:start",
        before_undo=here.before_undo,
        uses_store=True,
    )


def _finished(here: MoveDependencies, job: Ended) -> None:
    """Tell the restore point what became of it."""
    order, dependencies = MoveOrder.from_params(job.params), here.protections.dependencies
    if (run := order.run) is not None:
        note_outcome(dependencies, run, job)
        return
    with suppress(NotFound):  # its row was written, and the step that did so has not ended
        known = dependencies.restore_points.get(order.restore_point_id)
        failed = replace(known, state=RestorePointState.FAILED, error=failure(job))
        dependencies.restore_points.save(failed)


def grow(params: Mapping[str, Json], result: Callable[[str], Json]) -> Mapping[str, Json] | None:
    """The order with what has been found out since; None while there is nothing new."""
    order = MoveOrder.from_params(params)
    step, into, key = (FINAL, "final", "order") if order.final is None else (PLAN, "plan", "plan")
    if order.plan is not None or (found := result(step)) is None:
        return None
    return {**params, into: plain_object(found, step)[key]}


def move_steps(here: MoveDependencies, order: MoveOrder) -> list[Step]:
    """As many as are known by the order."""
    source = _Source(here, order)
    made = source.steps()
    if (run := order.run) is not None:
        made += here.methods[run.method].steps(run, here.protections.dependencies)
        made.append(_Plan(here, order, source).step())
    if (plan := order.recovery) is not None:
        made += _recovery_steps(here, order, plan, source)
    return made


class _Source:
    """The steps in the application's site before the final run, and the question whether one of the members runs."""

    def __init__(self, here: MoveDependencies, order: MoveOrder) -> None:
        self._here, self._order, self._app = here, order, order.application
        self._members = sorted(self._app.members, key=lambda member: member.order)
        self.stops = tuple(f"stop-{number}" for number in range(1, len(self._members) + 1))

    def steps(self) -> list[Step]:
        app = self._app
        looking = f"Look at the {len(self._members)} members of {app.name} in {app.site}"
        stopping = [self._stop_step(number, member) for number, member in enumerate(self._members)]
        return [
            Step(MEMBERS, looking, self._look, site=app.site),
            *reversed(stopping),
            Step(
                FINAL,
                "Plan the final run: all members are off",
                self._plan_run,
                None,
                self.stops,
                site=app.site,
            ),
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
        if said := describe(tuple(obstacles(site, seen))):
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
        order, protections = self._order, self._here.protections
        members = ctx.result_of(MEMBERS, Look).members
        newest = newest_actions(self.open(ctx), members)
        dependencies = protections.dependencies
        protection = dependencies.protections.get(order.protection_id)
        request, planned = protections.plan(protection, self._app, order.restore_point_id)
        if not planned.quiesced:
            raise StepFailed(f"the final run would not be consistent: {planned.summary}: undo the move")
        dependencies.restore_points.save(begun(request, planned, ctx.job_id))
        notes = (f"made for the move to {order.target_site}, with the application stopped",)
        stopped = {member.id: member.ports for member in members if member.was_on}
        return Final(newest, plain_object(order_of(request, planned, notes, stopped).to_params(), "order"))


class _Plan:
    """The step that decides the recovery, from the restore point that the final run has made."""

    def __init__(self, here: MoveDependencies, order: MoveOrder, source: _Source) -> None:
        self._here, self._order, self._source = here, order, source

    def step(self) -> Step:
        return Step(
            PLAN,
            f"Plan the recovery in {self._order.target_site}",
            self._run,
            needs=("manifest", FINAL),
            site=self._order.target_site,
        )

    def _run(self, ctx: StepContext) -> Planned:
        here, order = self._here, self._order
        self._source.check(ctx)
        manifest = here.protections.dependencies.manifests.read(order.restore_point_id)
        project = order.application.project_id
        rules = replace(parse(order.mapping), projects={project: order.target_project})
        asked = Question(order.target_site, order.mapping, rules, order.by)
        asker = Caller("", order.requested_by, project, "", frozenset(), "")
        decision = here.decider.decide(asker, manifest, asked, (), purpose=Purpose.MOVE)
        if said := describe(blockers(decision.preview.problems)):
            raise StepFailed(f"{said}: remove the reason and resume, or undo: nothing was made at the target")
        here.recoveries.change(
            order.recovery_id,
            lambda known: replace(known, restore_point_id=manifest.id, consistent_at=manifest.consistent_at),
        )
        dns = as_shown(decision.plan.dns, order.dns)
        return Planned(replace(decision.plan, epoch=order.epoch, dns=dns).to_json())


def _recovery_steps(
    here: MoveDependencies, order: MoveOrder, plan: RecoverPlan, source: _Source
) -> list[Step]:
    """Those of a recovery.  No server boots before the source was asked again."""
    steps = Steps(
        plan,
        site=lambda ctx: here.sites.open(
            plan.target_site, for_project=ctx.project_id, project=plan.target_project or None
        ),
        manifest=lambda: here.protections.dependencies.manifests.read(plan.restore_point_id),
        now=here.now,
        methods=here.methods,
        outside=here.outside,
    )

    def summary(ctx: StepContext) -> object:
        source.check(ctx)
        ready = [ctx.result_of(server.gate, Ready) for server in plan.servers]
        ids = tuple(server.id for server in ready)
        epoch = Epoch(plan.epoch, plan.target_site, order.recovery_id, ids, here.now())
        here.epochs.begin(plan.application_id, epoch)
        stopped_at, last = source.stopped_at(ctx), max(server.ready_at for server in ready)
        downtime = None if stopped_at is None else (last - stopped_at).total_seconds()
        result = summarize(ctx, plan, here.recoveries, order.recovery_id, rpo=0.0)
        here.recoveries.change(order.recovery_id, lambda known: replace(known, downtime_seconds=downtime))
        return {"downtime_seconds": downtime, **plain_object(result, "summary")}

    def withdraw(_ctx: StepContext, _result: object) -> None:
        here.epochs.withdraw(plan.application_id, order.recovery_id)

    work = recover_steps(steps, summary, withdraw)
    hooked = with_hooks(steps, work, SUMMARY, here.recoveries, order.recovery_id)
    return _after_the_source(hooked, plan, source)


def _after_the_source(made: list[Step], plan: RecoverPlan, source: _Source) -> list[Step]:
    """All steps wait until the members are off, which they are; so an undo starts these when everything is gone.

    The whole source is asked right before the first servers boot, and before each later one its own original.
    """
    by_name = {step.name: step for step in made}
    others = {*(server.gate for server in plan.servers), *(group.step for group in plan.boot_groups)}
    first = {server.step for server in plan.servers if not others & set(server.after)}
    before = dict.fromkeys(need for name in sorted(first) for need in by_name[name].needs)
    originals = {server.step: server.record.id for server in plan.servers if server.step not in first}
    title = f"See that nothing runs in {plan.source_site}"
    asking = Step(SOURCE, title, source.check, needs=(PLAN, *source.stops, *before), site=plan.source_site)

    def placed(step: Step) -> Step:
        if step.name in first:
            return replace(step, needs=(*step.needs, SOURCE))
        if step.name in originals:
            step = replace(step, run=_asked_first(step, source, originals[step.name]))
        return step if step.needs else replace(step, needs=(PLAN, *source.stops))

    return [*map(placed, made), asking]


def _asked_first(step: Step, source: _Source, original: str) -> Callable[[StepContext], object]:
    def run(ctx: StepContext) -> object:
        source.check(ctx, original)
        return step.run(ctx)

    return run
