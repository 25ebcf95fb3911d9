"""Jobs that grow: further steps follow from what a step has found, and outlive the process with the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.conftest import JobSetup
from multisite.jobs.model import JobKind, JobState, Step, StepContext, StepFailed, StepState

COUNT = "count"


class Growing:
    """A kind whose first step says how many more there are, each of which needs it."""

    def __init__(self, path: Path) -> None:
        self.setup = JobSetup(path)
        self.count: Callable[[StepContext], Any] = lambda _: {"more": 2}
        self.fails = ""
        self.wrong: Callable[[list[Step]], list[Step]] = lambda steps: steps
        kind = JobKind("growing", self.build, "pause", grow=self.grow, finished=self.setup._finished)
        self.setup.engine.register(kind)
        self.setup.engine.launch()

    def build(self, params: Mapping[str, Any]) -> list[Step]:
        more = params.get("more", 0)
        steps = [self.setup.step(COUNT, run=self._count)]
        steps += [self.setup.step(f"more-{n}", COUNT, run=self._one) for n in range(1, more + 1)]
        return self.wrong(steps) if more else steps

    def grow(self, params: Mapping[str, Any], result: Callable[[str], Any]) -> Mapping[str, Any] | None:
        if "more" in params or (found := result(COUNT)) is None:
            return None
        return {**params, "more": found["more"]}

    def _count(self, ctx: StepContext) -> Any:
        return self.count(ctx)

    def _one(self, ctx: StepContext) -> Any:
        if ctx.step == self.fails:
            raise StepFailed("out of luck")
        return ctx.result_of(COUNT, dict)

    def start(self) -> str:
        return self.setup.engine.start("growing", {}, title="t", project_id="p1", requested_by="tester")


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    made = Growing(tmp_path)
    yield made
    made.setup.engine.shutdown()


def test_it_ends_with_the_steps_it_grew_by(growing: Growing) -> None:
    job = growing.setup.wait(growing.start())
    assert job.state is JobState.DONE, job.error
    assert [step.name for step in job.steps] == [COUNT, "more-1", "more-2"]
    ((_, state, params),) = growing.setup.told
    assert (state, params) == (JobState.DONE, {"more": 2}), "its kind is told of the whole"


def test_an_undo_takes_what_it_grew_by_first(growing: Growing) -> None:
    job_id = growing.start()
    growing.setup.wait(job_id)
    growing.setup.log.clear()
    growing.setup.engine.undo(job_id, "tester")
    assert growing.setup.wait(job_id).state is JobState.UNDONE
    assert set(growing.setup.log[:2]) == {"-more-1", "-more-2"}
    assert growing.setup.log[2:] == [f"-{COUNT}"]


def test_it_does_not_grow_by_a_step_that_failed(growing: Growing) -> None:
    def count(ctx: StepContext) -> Any:
        if ctx.attempt == 1:
            raise StepFailed("not yet")
        return {"more": 1}

    growing.count = count
    job_id = growing.start()
    job = growing.setup.wait(job_id)
    assert (job.state, [step.name for step in job.steps]) == (JobState.PAUSED, [COUNT])
    growing.setup.engine.resume(job_id, "tester")
    job = growing.setup.wait(job_id)
    assert (job.state, [step.name for step in job.steps]) == (JobState.DONE, [COUNT, "more-1"])


def test_resumed_it_has_grown_already(growing: Growing) -> None:
    growing.fails = "more-2"
    job_id = growing.start()
    job = growing.setup.wait(job_id)
    assert (job.state, job.step("more-1").state) == (JobState.PAUSED, StepState.DONE)
    growing.fails = ""
    growing.setup.engine.resume(job_id, "tester")
    assert growing.setup.wait(job_id).state is JobState.DONE
    assert growing.setup.log.count("more-1") == 1
    assert growing.setup.log.count(COUNT) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda steps: [replace(steps[0], needs=("more-1",)), replace(steps[1], needs=())],
            "would change steps",
        ),
        (lambda steps: [*steps, steps[-1]], "two steps are named 'more-2'"),
    ],
    ids=["other needs", "twice"],
)
def test_what_cannot_be_planned_is_not_carried_out(
    growing: Growing, wrong: Callable[[list[Step]], list[Step]], said: str
) -> None:
    """The negative control: it rests as it was before, and can be undone."""
    growing.wrong = wrong
    job_id = growing.start()
    job = growing.setup.wait(job_id)
    assert (job.state, [step.name for step in job.steps]) == (JobState.PAUSED, [COUNT])
    assert "the rest of it cannot be planned: " in str(job.error)
    assert said in str(job.error)
    growing.setup.engine.undo(job_id, "tester")
    assert growing.setup.wait(job_id).state is JobState.UNDONE
