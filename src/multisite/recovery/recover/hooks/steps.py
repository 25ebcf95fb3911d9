"""Hooks as steps: each has a key that is the same however often it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from multisite.clouds.errors import Cancelled
from multisite.domain.errors import MultisiteError
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.plans.hooks import filled
from multisite.recovery.plans.outside import HOOK_FOLDER, HOOK_URLS
from multisite.recovery.recover.hooks import call, command, orders
from multisite.recovery.recover.model import PlannedHook, hooks_at
from multisite.recovery.recover.steps import Ready, Steps
from multisite.store.recoveries import RecoveryRepository

HOOKS, HOOKS_AT_ONCE = "recovery-hooks", 8
"""The limit they share."""


@dataclass(frozen=True)
class HookDone:
    """``ok`` False: it failed and the plan lets the recovery go on; ``said``: what came of it, or was answered."""

    ok: bool
    said: str


@dataclass(frozen=True)
class _Hooks:
    steps: Steps
    recoveries: RecoveryRepository
    recovery_id: str

    def step(self, planned: PlannedHook, needs: Sequence[str], ready: Sequence[str]) -> Step:
        """``ready``: names of the gates of the servers that are ready then."""
        hook, doing = planned.hook, self._doing(planned, ready)
        title = f"Hook {hook.name}: {hook}"[:200]
        if hook.when == "before-undo":
            return Step(planned.step, title, _later, lambda ctx, _result: _undo(doing, ctx), tuple(needs))
        return Step(planned.step, title, doing, needs=tuple(needs), limit=HOOKS)

    def _doing(self, planned: PlannedHook, ready: Sequence[str]) -> Callable[[StepContext], HookDone]:
        hook = planned.hook
        ways: dict[str, Callable[[StepContext, PlannedHook, dict[str, Any]], str]] = {
            "http": self._http,
            "command": self._command,
            "prompt": self._prompt,
            "openstack": partial(self._order, ready),
        }

        def run(ctx: StepContext) -> HookDone:
            told = self._told(ctx, ready)
            try:
                said = ways[hook.kind](ctx, planned, told)
            except Cancelled:
                raise
            except (StepFailed, MultisiteError) as error:
                if hook.on_failure == "pause" or hook.kind == "prompt":
                    raise
                ctx.event(f"hook {hook.name} failed; the plan goes on: {error}")
                return HookDone(False, str(error))
            ctx.event(f"hook {hook.name}: {said or 'done'}")
            return HookDone(True, said)

        return run

    def _told(self, ctx: StepContext, ready: Sequence[str]) -> dict[str, Any]:
        plan = self.steps.plan
        servers = [ctx.result_of(gate, Ready) for gate in ready]
        return {
            "recovery": self.recovery_id,
            "application": plan.application,
            "restore_point": plan.restore_point_id,
            "source_site": plan.source_site,
            "target_site": plan.target_site,
            "key": f"{ctx.job_id}:{ctx.step}",
            "drill": bool(plan.drill),
            "servers": [{"name": s.name, "id": s.id, "addresses": list(s.addresses)} for s in servers],
        }

    def _http(self, ctx: StepContext, planned: PlannedHook, told: dict[str, Any]) -> str:
        hook, outside = planned.hook, self.steps.outside
        url = str(hook.url)
        if not outside.may_ask(url):
            raise StepFailed(
                f"{url}: Multisite may not ask it: let an administrator add it to {HOOK_URLS}, then resume"
            )
        body = None if hook.method == "GET" else told if hook.body is None else filled(hook.body, told)
        asked = call.Asked(
            hook.method, url, body, told["key"], hook.timeout, hook.expect, hook.retries, outside.hook_ca_file
        )
        return call.ask(asked, lambda: _go_on(ctx, hook.name))

    def _command(self, ctx: StepContext, planned: PlannedHook, told: dict[str, Any]) -> str:
        hook, folder = planned.hook, self.steps.outside.hook_folder
        if folder is None:
            raise StepFailed(
                f"hook {hook.name}: no program may be run: {HOOK_FOLDER} is not set on this worker"
            )
        return command.run(folder / str(hook.command), told, hook.timeout, lambda: _go_on(ctx, hook.name))

    def _order(
        self, ready: Sequence[str], ctx: StepContext, planned: PlannedHook, _told: dict[str, Any]
    ) -> str:
        there = [ctx.result_of(gate, Ready) for gate in ready]
        go_on = partial(_go_on, ctx, planned.hook.name)
        return orders.carry_out(self.steps.site(ctx), ctx, planned.hook, there, go_on)

    def _prompt(self, _ctx: StepContext, planned: PlannedHook, _told: dict[str, Any]) -> str:
        question = f"question of the recovery plan: {planned.hook.question}"
        return answer_to(self.recoveries, self.recovery_id, planned.step, question)


def answer_to(recoveries: RecoveryRepository, recovery_id: str, step: str, question: str) -> str:
    """What an operator has answered, in words.  StepFailed, with the question, until somebody has."""
    answer = recoveries.get(recovery_id).answers.get(step)
    if answer is None:
        raise StepFailed(
            f"{question}: answer with `openstack multisite recovery answer {recovery_id} <text>`, or go on with "
            f"`... recovery resume {recovery_id}`"
        )
    return f"{answer['by']} answered: {answer['text'] or '(resumed)'}"


def _later(_ctx: StepContext) -> HookDone:
    return HookDone(True, "it is for an undo")


def _undo(doing: Callable[[StepContext], HookDone], ctx: StepContext) -> None:
    doing(ctx)


def _go_on(ctx: StepContext, name: str) -> None:
    if ctx.cancelled():
        raise Cancelled("", f"hook {name}", "stopped on request")


def with_hooks(
    steps: Steps, work: Sequence[Step], last: str, recoveries: RecoveryRepository, recovery_id: str
) -> list[Step]:
    """The steps of a recovery, of which the step ``last`` is, with the hooks of its plan."""
    plan, made = steps.plan, _Hooks(steps, recoveries, recovery_id)
    if not plan.hooks:
        return list(work)
    found: list[Step] = []

    def chain(hooks: Sequence[PlannedHook], needs: tuple[str, ...], ready: Sequence[str]) -> tuple[str, ...]:
        for hook in hooks:
            found.append(made.step(hook, needs, ready))
            needs = (hook.step,)
        return needs

    first = chain(hooks_at(plan.hooks, "before-recovery"), (), ())
    gates = {server.record.id: server.gate for server in plan.servers}
    ready: list[str] = []
    before = first
    for group in plan.boot_groups:
        chain(hooks_at(plan.hooks, "before-group", group.name), before, ready)
        ready = [*ready, *(gates[id] for id in group.servers)]
        before = chain(hooks_at(plan.hooks, "after-group", group.name), (group.step,), ready)
    ends = (last, *(record.step for record in plan.dns), *(step.name for step in found))
    every = list(gates.values())
    end = chain(hooks_at(plan.hooks, "after-recovery"), ends, every)
    chain(hooks_at(plan.hooks, "before-undo"), end, every)
    return [*(step if step.needs else replace(step, needs=first) for step in work), *found]
