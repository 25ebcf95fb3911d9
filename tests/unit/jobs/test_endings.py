"""A kind whose jobs take away at their end what they made, also when every step succeeded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.conftest import JobSetup
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Policy, Step, StepFailed, StepState
from multisite.jobs.view import Job


class Ending(JobSetup):
    """Notes how the steps stood when their run had ended."""

    def new_engine(self) -> JobEngine:
        engine = JobEngine(self.database)
        for policy in ("undo", "pause"):
            kind = JobKind(
                policy, self._build, policy, on_done="undo", walked=self._walked, finished=self._finished
            )  # type: ignore[arg-type]
            engine.register(kind)
        return engine

    def _walked(self, job_id: str) -> None:
        self.seen: Job = self.engine.get(job_id)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Ending]:
    made = Ending(tmp_path)
    made.engine.launch()
    yield made
    made.engine.shutdown()
    made.database.close()


@pytest.mark.parametrize("policy", ["undo", "pause"])
def test_done_is_undone_without_an_error(setup: Ending, policy: Policy) -> None:
    job = setup.run([setup.step("first"), setup.step("second", "first")], policy)
    assert (job.state, job.error) == (JobState.UNDONE, None)
    assert setup.log == ["first", "second", "-second", "-first"]
    assert [step.state for step in setup.seen.steps] == [StepState.DONE, StepState.DONE]
    assert [state for _, state, _ in setup.told] == [JobState.UNDONE]


def failing(setup: Ending) -> list[Step]:
    def run(_ctx: Any) -> Any:
        raise StepFailed("no")

    return [setup.step("first"), setup.step("second", "first", run=run)]


def test_one_that_fails_says_why_when_it_is_undone(setup: Ending) -> None:
    job = setup.run(failing(setup), "undo")
    assert (job.state, job.error) == (JobState.UNDONE, "make second: no")
    assert [step.state for step in setup.seen.steps] == [StepState.DONE, StepState.FAILED]


def test_one_that_pauses_is_not_undone_when_it_has_failed(setup: Ending) -> None:
    """The negative control."""
    job = setup.run(failing(setup), "pause")
    assert (job.state, job.error) == (JobState.PAUSED, "make second: no")
    assert "-first" not in setup.log
