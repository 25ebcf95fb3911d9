"""Which hooks a recovery has, where in its order, and which of them may not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from multisite.domain.model import Purpose
from multisite.domain.recovery_plan import Hook
from multisite.recovery.plans.outside import HOOK_FOLDER, HOOK_URLS
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import BootGroup, PlannedHook, PlannedServer, RecoverPlan, hooks_at

PROMPT = "prompt-"
"""What names of steps that ask the operator begin with."""


def with_planned_hooks(draft: Draft, made: RecoverPlan, rules: PlanRules) -> RecoverPlan:
    """The plan with its hooks, and servers that wait for them."""
    hooks = _plan_hooks(draft, rules, made.boot_groups)
    return replace(made, hooks=hooks, servers=_after_hooks(made.servers, made.boot_groups, hooks))


def _plan_hooks(draft: Draft, rules: PlanRules, groups: Sequence[BootGroup]) -> tuple[PlannedHook, ...]:
    """In the order in which the plan has them; each waits for the one before it at the same point."""
    there = {group.name for group in groups}
    planned = []
    for number, hook in enumerate(rules.hooks, 1):
        if draft.purpose is Purpose.DRILL and not hook.in_drills:
            draft.do("hook", hook.name, "leave out", f"{hook}: the plan does not want it in drills")
        elif hook.group is not None and hook.group not in there:
            why = f"the restore point has no member of group {hook.group}"
            draft.note(
                f"hook {hook.name}", f"is left out: {why}", "nothing to do, or correct the recovery plan"
            )
        else:
            _refuse(draft, hook, rules)
            _check_members(draft, hook, groups)
            where = hook.when.replace("-group", f" group {hook.group}").replace("-", " the ")
            draft.do("hook", hook.name, hook.kind, f"{where}: {hook}")
            prefix = PROMPT if hook.kind == "prompt" else "hook-"
            planned.append(PlannedHook(f"{prefix}{number}", hook))
    return tuple(planned)


def _refuse(draft: Draft, hook: Hook, rules: PlanRules) -> None:
    subject = f"hook {hook.name}"
    if hook.url is not None and not rules.outside.may_ask(hook.url):
        draft.problem(
            subject,
            f"Multisite may not ask {hook.url}",
            f"let an administrator add its origin (https://host:port) to {HOOK_URLS} of multisite.conf, or take the "
            "hook out of the plan",
        )
    if hook.command is not None and hook.command not in rules.commands:
        folder = rules.outside.hook_folder or Path("a folder")
        draft.problem(
            subject,
            f"there is no program {hook.command!r} to run",
            f"let an administrator put it into {folder.name} ({HOOK_FOLDER} of multisite.conf), or take the hook out "
            "of the plan",
        )


def _check_members(draft: Draft, hook: Hook, groups: Sequence[BootGroup]) -> None:
    """Those that an action is for must be ready at its point."""
    names = {server.id: server.name for server in draft.manifest.servers}
    ready = set(names)
    if hook.group is not None:
        order = [group.name for group in groups]
        there = groups[: order.index(hook.group) + (hook.when == "after-group")]
        ready = {id for group in there for id in group.servers}
    for word in hook.members or ():
        its = {id for id, name in names.items() if word in (id, name)}
        if not its:
            what = f"the restore point has no server {word!r}, so nothing is done with it"
            draft.note(
                f"hook {hook.name}", what, "nothing to do if it left the application; else correct the plan"
            )
        elif not its <= ready:
            what = f"server {word} is not ready {hook.when.replace('-', ' ')} {hook.group}"
            draft.problem(
                f"hook {hook.name}", what, "name members of groups before, or another point, in the plan"
            )


def _after_hooks(
    servers: Sequence[PlannedServer], groups: Sequence[BootGroup], hooks: Sequence[PlannedHook]
) -> tuple[PlannedServer, ...]:
    """Servers that wait for the hooks before their group, too, and for those after the group before."""
    waits: dict[str, tuple[str, ...]] = {}
    earlier: tuple[str, ...] = ()
    for group in groups:
        mine = (*earlier, *(h.step for h in hooks_at(hooks, "before-group", group.name)))
        waits |= dict.fromkeys(group.servers, mine)
        earlier = tuple(h.step for h in hooks_at(hooks, "after-group", group.name))
    return tuple(replace(s, after=(*s.after, *waits.get(s.record.id, ()))) for s in servers)
