"""Steps that a job has several times under other names: their functions know the names they were written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from multisite.jobs.model import Json, Step, StepContext

T = TypeVar("T")


class Scoped:
    """A step's context in which steps are asked for by the names in ``names``; the token is the step's own."""

    def __init__(self, ctx: StepContext, names: Mapping[str, str]) -> None:
        self._ctx, self._names = ctx, names
        self.job_id, self.step, self.token = ctx.job_id, ctx.step, ctx.token
        self.project_id, self.attempt, self.interrupted = ctx.project_id, ctx.attempt, ctx.interrupted

    def result_of(self, step: str, kind: type[T]) -> T:
        """As ``StepContext`` says."""
        return self._ctx.result_of(self._names.get(step, step), kind)

    def progress(self, done: float, total: float | None = None, unit: str = "", detail: str = "") -> None:
        """As ``StepContext`` says."""
        self._ctx.progress(done, total, unit, detail)

    def event(self, message: str, **data: Json) -> None:
        """As ``StepContext`` says."""
        self._ctx.event(message, **data)

    def cancelled(self) -> bool:
        """As ``StepContext`` says."""
        return self._ctx.cancelled()


def scoped(steps: Iterable[Step], names: Mapping[str, str]) -> list[Step]:
    """The same steps under these names, which need each other by them; names that are not given stay."""
    return [_scoped(step, names) for step in steps]


def _scoped(step: Step, names: Mapping[str, str]) -> Step:
    needs = tuple(names.get(need, need) for need in step.needs)
    undo = None if step.undo is None else _undoing(step.undo, names)
    return replace(
        step, name=names.get(step.name, step.name), run=_running(step.run, names), undo=undo, needs=needs
    )


def _running(
    run: Callable[[StepContext], object], names: Mapping[str, str]
) -> Callable[[StepContext], object]:
    return lambda ctx: run(Scoped(ctx, names))


def _undoing(
    undo: Callable[[StepContext, T], None], names: Mapping[str, str]
) -> Callable[[StepContext, T], None]:
    return lambda ctx, result: undo(Scoped(ctx, names), result)
