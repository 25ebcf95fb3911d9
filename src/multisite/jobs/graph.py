"""The step graph: checked once when a job is accepted, walked in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from multisite.domain.errors import Invalid
from multisite.jobs.model import Step


def ordered(steps: Sequence[Step]) -> list[Step]:
    """The steps, each after those it needs.  Invalid names the step that is wrong."""
    by_name: dict[str, Step] = {}
    for step in steps:
        if not step.name or len(step.name) > 200:
            raise Invalid(f"steps: name {step.name!r} must have 1 to 200 characters")
        if step.name in by_name:
            raise Invalid(f"steps: two steps are named {step.name!r}")
        by_name[step.name] = step
    for step in steps:
        for need in step.needs:
            if need not in by_name:
                raise Invalid(f"steps: {step.name!r} needs {need!r}, which is not a step of this job")
    try:
        order = list(TopologicalSorter({step.name: step.needs for step in steps}).static_order())
    except CycleError as error:
        raise Invalid(f"steps: {' -> '.join(error.args[1])} need each other") from error
    return [by_name[name] for name in order]


def dependants(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """For each step the steps that need it."""
    found: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for need in step.needs:
            found[need].append(step.name)
    return {name: tuple(names) for name, names in found.items()}


def ancestors(name: str, steps: Sequence[Step]) -> frozenset[str]:
    """Every step that is done before ``name`` may start."""
    needs, found = {step.name: step.needs for step in steps}, set[str]()
    waiting = list(needs[name])
    while waiting:
        need = waiting.pop()
        if need not in found:
            found.add(need)
            waiting.extend(needs[need])
    return frozenset(found)
