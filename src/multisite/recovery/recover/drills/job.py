"""The job "drill": the steps of a recovery between two inventories, and all of it taken away at the end.

The inventory is the first step, so that it is undone last: then it counts again.  One that is kept ("drill-kept") is
the same job, which rests when it is done, or when a step has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources import KINDS, read_or_none
from multisite.clouds.resources.left import left_by_job
from multisite.domain.drill import DrillOptions, Seen, StepTime, VolumeDigest
from multisite.domain.model import Recovery
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step, StepContext, StepState
from multisite.jobs.outcome import Outcome
from multisite.jobs.values import decode
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import CALLS, IMPORTS, RESTORES, ProtectionMethod
from multisite.recovery.plans.outside import Outside
from multisite.recovery.recover.drills import inventory
from multisite.recovery.recover.drills.isolate import label_of
from multisite.recovery.recover.drills.verify import VERIFIES, is_verifying, verify_steps
from multisite.recovery.recover.hooks.steps import HOOKS, HOOKS_AT_ONCE, with_hooks
from multisite.recovery.recover.job import (
    MADE,
    RECOVERY_STATES,
    SUMMARY,
    flavor_in_use,
    recover_steps,
    summarize,
)
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.steps import Steps
from multisite.store.drills import DrillRepository
from multisite.store.recoveries import RecoveryRepository

KIND, KEPT = "drill", "drill-kept"
INVENTORY = "inventory"
VERIFIES_AT_ONCE = 2


@dataclass(frozen=True)
class Taken:
    """The inventory before the drill."""

    at: datetime
    inventory: inventory.Inventory


@dataclass(frozen=True)
class DrillDependencies:
    """What the jobs of drills work with.  Limits: how many at the same time."""

    sites: Sites
    manifests: ManifestStore
    recoveries: RecoveryRepository
    drills: DrillRepository
    jobs: JobEngine
    methods: Mapping[str, ProtectionMethod]
    restores_per_site: int
    calls_per_site: int
    now: Callable[[], datetime]
    outside: Outside
    report: Callable[[str, Ended], None]
    """Writes the report of a drill, by its id; called again with the same job it writes the same."""


def drill_kinds(dependencies: DrillDependencies) -> tuple[JobKind, JobKind]:
    """The kinds to register: one that is taken away, one that is kept.

    Parameters of a job: ``{"recovery_id": ..., "plan": RecoverPlan.to_json(), "verify": ...}``.
    """
    here = dependencies

    def amend(_known: Recovery, wanted: Recovery, job: Ended) -> Recovery:
        gone = job.state is JobState.UNDONE
        ended_at = None if job.state is JobState.PAUSED else here.now()
        return replace(wanted, ended_at=ended_at, servers=() if gone else wanted.servers)

    def walked(job_id: str) -> None:
        job = here.jobs.get(job_id)
        if job.subject is not None:
            seen = _seen(here.jobs, job_id)
            here.drills.change(job.subject, lambda known: replace(known, seen=seen))

    limits = {
        RESTORES: here.restores_per_site, IMPORTS: here.restores_per_site, CALLS: here.calls_per_site,
        VERIFIES: VERIFIES_AT_ONCE, HOOKS: HOOKS_AT_ONCE,
    }  # fmt: skip
    ends = JobKind(
        KIND,
        lambda params: drill_steps(here, params),
        on_failure="undo",
        on_done="undo",
        limits=limits,
        walked=walked,
        finished=lambda ended: here.report(str(ended.params["recovery_id"]), ended),
        outcome=Outcome(here.recoveries, "recovery_id", RECOVERY_STATES, amend),
        left=left_by_job(here.sites, MADE, stays=flavor_in_use, project_of=here.recoveries.project_of_job),
        rule="drill:start",
        uses_store=True,
    )
    return ends, replace(ends, name=KEPT, on_failure="pause", on_done="keep")


def drill_steps(here: DrillDependencies, params: Mapping[str, Json]) -> list[Step]:
    """Everything but the inventory waits for it."""
    plan, recovery_id = RecoverPlan.from_json(params["plan"]), str(params["recovery_id"])
    chosen = plan.target_project or None

    def site(ctx: StepContext) -> CloudSite:
        return here.sites.open(plan.target_site, for_project=ctx.project_id, project=chosen)

    steps = Steps(
        plan, site=site, manifest=lambda: here.manifests.read(plan.restore_point_id), now=here.now,
        methods=here.methods, outside=here.outside,
    )  # fmt: skip

    def summary(ctx: StepContext) -> object:
        begun = ctx.result_of(INVENTORY, Taken).at
        return summarize(ctx, plan, here.recoveries, recovery_id, begun)

    verifying = verify_steps(plan, here.manifests, here.methods) if params["verify"] != "none" else []
    hooked = with_hooks(steps, recover_steps(steps, summary), SUMMARY, here.recoveries, recovery_id)
    work = [*hooked, *verifying]
    return [
        _inventory_step(here, plan, recovery_id, site),
        *(step if step.needs else replace(step, needs=(INVENTORY,)) for step in work),
    ]


def _inventory_step(
    here: DrillDependencies, plan: RecoverPlan, recovery_id: str, site: Callable[[StepContext], CloudSite]
) -> Step:
    def take(ctx: StepContext) -> Taken:
        found = inventory.read(site(ctx), ctx.job_id, label_of(recovery_id))
        for kind, why in found.unknown.items():
            ctx.event(f"what there is of kind {kind} is not known: {why}")
        return Taken(here.now(), found)

    def compare(ctx: StepContext, before: Taken | None) -> None:
        if before is None:
            return  # it had not begun: nothing was made
        after = without_lists_lag(
            site(ctx), inventory.read(site(ctx), ctx.job_id, label_of(recovery_id)), ctx.job_id
        )
        result = inventory.compare(before.inventory, after, ctx.job_id, _records(plan))
        here.drills.change(recovery_id, lambda known: replace(known, inventory=result))

    title = f"Count what the project has in {plan.target_site}"
    return Step(INVENTORY, title, take, compare, (), None, plan.target_site, result=Taken)


def without_lists_lag(site: CloudSite, found: inventory.Inventory, job_id: str) -> inventory.Inventory:
    """A busy Nova lists for seconds what it has removed: of what would be left, each is asked for by its id."""
    things = dict(found.things)
    for kind in inventory.COUNTED:
        if KINDS[kind].lags:
            ours = [id for id, thing in things.get(kind, {}).items() if thing.whose == job_id]
            gone = {id for id in ours if read_or_none(site, kind, id) is None}
            things[kind] = {id: thing for id, thing in things.get(kind, {}).items() if id not in gone}
    return replace(found, things={kind: its for kind, its in things.items() if kind in found.things})


def _records(plan: RecoverPlan) -> Iterable[str]:
    """Ids that the volumes' payloads name: of backups, where their method has some."""
    found: list[str] = []
    rest: list[object] = [v.record.payload.data for v in plan.volumes if v.record.payload]
    while rest:
        one = rest.pop()
        if isinstance(one, Mapping):
            found += [str(one["id"])] if "id" in one else []
            rest += one.values()
        elif isinstance(one, list | tuple):
            rest += one
    return found


def _seen(jobs: JobEngine, job_id: str) -> Seen:
    """As the steps' runs have ended."""
    job = jobs.get(job_id)
    times = tuple(
        StepTime(
            step.name, step.title, step.state.value, step.started_at, step.elapsed if step.started_at else None,
            step.error,
        )
        for step in job.steps
    )  # fmt: skip
    digests = tuple(
        decode(jobs.result(job_id, step.name), VolumeDigest, f"result of step {step.name}")
        for step in job.steps
        if is_verifying(step.name) and step.state is StepState.DONE
    )
    failed = [f"{step.title}: {step.error}" for step in job.steps if step.state is StepState.FAILED]
    if job.cancel_requested:
        failed.insert(0, "cancelled by the operator")
    return Seen(times, digests, "; ".join(failed) or None)


def params_of(recovery_id: str, plan: RecoverPlan, options: DrillOptions) -> dict[str, object]:
    """The parameters of a job."""
    return {"recovery_id": recovery_id, "plan": plan.to_json(), "verify": options.verify}
