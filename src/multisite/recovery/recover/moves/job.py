"""The job "move": stop the application, make a restore point of it, recover from that; or so for each of its members.

What is recovered is known only when the restore point is there, so the job grows (``JobKind.grow``): by the steps
of the protection's method, when all members are off, and by those of a recovery, when the manifest is written.  A
move member by member (``members.py``) does the same once for each.

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

from multisite.clouds.resources.left import left_by_job
from multisite.domain.caller import Caller
from multisite.domain.errors import NotFound
from multisite.domain.findings import blockers, describe
from multisite.domain.model import Purpose, Recovery, RestorePointState
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step, StepContext, StepFailed
from multisite.jobs.outcome import Outcome, failure
from multisite.jobs.values import plain_object
from multisite.recovery.methods.base import CALLS, IMPORTS, RESTORES
from multisite.recovery.plans.question import Question
from multisite.recovery.protect.job import MADE as MADE_BY_RUNS
from multisite.recovery.protect.job import note_outcome
from multisite.recovery.recover.dns.plan import as_shown
from multisite.recovery.recover.dns.steps import RECORDS, RECORDS_AT_ONCE
from multisite.recovery.recover.hooks.steps import HOOKS, HOOKS_AT_ONCE
from multisite.recovery.recover.job import MADE, RECOVERY_STATES, flavor_in_use
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.moves import members, turns
from multisite.recovery.recover.moves.dependencies import FINAL, PLAN, SOURCE, MoveDependencies
from multisite.recovery.recover.moves.ending import recovery_steps
from multisite.recovery.recover.moves.model import MoveOrder
from multisite.recovery.recover.moves.source_steps import Batch, Source

KIND = "move"


@dataclass(frozen=True)
class Planned:
    plan: dict[str, Any]


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
        retreat=turns.retreat,
        outcome=Outcome(here.recoveries, "recovery_id", RECOVERY_STATES, amend, without_error=fine),
        left=left,
        rule="recovery:start",
        before_undo=here.before_undo,
        uses_store=True,
    )


def _finished(here: MoveDependencies, job: Ended) -> None:
    """Tell the restore points what became of them."""
    dependencies = here.protections.dependencies
    for id, run in MoveOrder.from_params(job.params).points():
        if run is not None:
            note_outcome(dependencies, run, job)
            continue
        with suppress(
            NotFound
        ):  # its row was written, and the step that did so has not ended or was taken back
            known = dependencies.restore_points.get(id)
            failed = replace(known, state=RestorePointState.FAILED, error=failure(job))
            dependencies.restore_points.save(failed)


def grow(params: Mapping[str, Json], result: Callable[[str], Json]) -> Mapping[str, Json] | None:
    """The order with what has been found out since; None while there is nothing new."""
    order = MoveOrder.from_params(params)
    if order.one_by_one is not None:
        return turns.grow(order, result)
    step, into, key = (FINAL, "final", "order") if order.final is None else (PLAN, "plan", "plan")
    if order.plan is not None or (found := result(step)) is None:
        return None
    return {**params, into: plain_object(found, step)[key]}


def move_steps(here: MoveDependencies, order: MoveOrder) -> list[Step]:
    """As many as are known by the order."""
    if order.one_by_one is not None:
        return members.member_steps(here, order, order.one_by_one)
    source = Source(here, order, Batch(order.application, order.restore_point_id))
    made = source.steps()
    if (run := order.run) is not None:
        made += here.methods[run.method].steps(run, here.protections.dependencies)
        made.append(_Plan(here, order, source).step())
    if (plan := order.recovery) is not None:
        made += _recovery_steps(here, order, plan, source)
    return made


class _Plan:
    """The step that decides the recovery, from the restore point that the final run has made."""

    def __init__(self, here: MoveDependencies, order: MoveOrder, source: Source) -> None:
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
    here: MoveDependencies, order: MoveOrder, plan: RecoverPlan, source: Source
) -> list[Step]:
    """Those of a recovery.  No server boots before the source was asked again."""

    def downtime(ctx: StepContext, last: datetime) -> float | None:
        stopped_at = source.stopped_at(ctx)
        return None if stopped_at is None else (last - stopped_at).total_seconds()

    _, hooked = recovery_steps(here, order, plan, source.check, downtime)
    return _after_the_source(hooked, plan, source)


def _after_the_source(made: list[Step], plan: RecoverPlan, source: Source) -> list[Step]:
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


def _asked_first(step: Step, source: Source, original: str) -> Callable[[StepContext], object]:
    def run(ctx: StepContext) -> object:
        source.check(ctx, original)
        return step.run(ctx)

    return run
