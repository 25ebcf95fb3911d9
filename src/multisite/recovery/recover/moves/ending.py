"""The steps of the recovery that a move carries out, and how it ends: a new epoch, once nothing runs at the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from multisite.domain.epoch import Epoch
from multisite.jobs.model import Step, StepContext
from multisite.jobs.values import plain_object
from multisite.recovery.recover.hooks.steps import with_hooks
from multisite.recovery.recover.job import SUMMARY, recover_steps, summarize
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.moves.dependencies import MoveDependencies
from multisite.recovery.recover.moves.model import MoveOrder
from multisite.recovery.recover.steps import Ready, Steps


def recovery_steps(
    here: MoveDependencies,
    order: MoveOrder,
    plan: RecoverPlan,
    check: Callable[[StepContext], None],
    downtime: Callable[[StepContext, datetime], float | None],
    consistent_at: datetime | None = None,
) -> tuple[Steps, list[Step]]:
    """Those of a recovery, with its hooks.

    ``check`` raises StepFailed while a member runs at the source.  ``downtime``: seconds, by when the last one was
    ready at the target.  ``consistent_at``: of the oldest data, where it is not the plan's.
    """
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
        check(ctx)
        ready = [ctx.result_of(server.gate, Ready) for server in plan.servers]
        ids = tuple(server.id for server in ready)
        epoch = Epoch(plan.epoch, plan.target_site, order.recovery_id, ids, here.now())
        here.epochs.begin(plan.application_id, epoch)
        seconds = downtime(ctx, max(server.ready_at for server in ready))
        result = summarize(ctx, plan, here.recoveries, order.recovery_id, rpo=0.0)
        here.recoveries.change(
            order.recovery_id,
            lambda known: replace(
                known, downtime_seconds=seconds, consistent_at=consistent_at or known.consistent_at
            ),
        )
        return {"downtime_seconds": seconds, **plain_object(result, "summary")}

    def withdraw(_ctx: StepContext, _result: object) -> None:
        here.epochs.withdraw(plan.application_id, order.recovery_id)

    work = recover_steps(steps, summary, withdraw)
    return steps, with_hooks(steps, work, SUMMARY, here.recoveries, order.recovery_id)
