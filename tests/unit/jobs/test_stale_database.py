"""The engine on a database that is older than what was done with it: nothing is begun, what runs stops, and goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from multisite.domain import fence
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Made, Step, StepContext
from multisite.jobs.records import Records
from multisite.jobs.restored import RestoredJobs
from multisite.jobs.staleness import NeverStale
from multisite.store.models import StepRow
from tests.unit.jobs.conftest import JobSetup, Until

STALE = "database: it is stale"


class Told(NeverStale):
    """Stale, or of a store that was never reached, when a test says so; notes what it is asked."""

    def __init__(self) -> None:
        self.stale = self.unreached = False
        self.asked: list[str] = []

    def check(self) -> None:
        self.asked.append("check")

    def raise_mark(self) -> None:
        self.asked.append("raise")

    def why_rest(self, *, uses_store: bool = False) -> str | None:
        return STALE if self.stale or (uses_store and self.unreached) else None


class StaleSetup(JobSetup):
    def new_engine(self) -> JobEngine:
        self.told_of = Told()
        engine = JobEngine(self.database, staleness=self.told_of)
        for name, uses_store in (("undo", True), ("pause", False)):
            engine.register(JobKind(name, self._build, name, uses_store=uses_store))  # type: ignore[arg-type]
        return engine


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[StaleSetup]:
    made = StaleSetup(tmp_path)
    yield made
    made.told_of.stale = made.told_of.unreached = False
    made.engine.shutdown(1)


def test_the_mark_is_raised_before_a_job_is_taken_and_before_it_is_settled(
    setup: StaleSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            setup.told_of.asked.append(name)
            return real(*args, **kwargs)

        return call

    for name in ("claim", "settle"):
        monkeypatch.setattr(Records, name, noting(name, getattr(Records, name)))
    setup.engine.launch()
    setup.run([setup.step("a"), setup.step("b", "a")])
    assert setup.told_of.asked == ["check", "check", "raise", "claim", "raise", "settle"]


def test_nothing_is_begun(setup: StaleSetup) -> None:
    setup.told_of.stale = True
    setup.engine.launch()
    job_id = setup.start([setup.step("a")])
    time.sleep(1.5)
    job = setup.engine.get(job_id)
    assert (job.state, job.worker, setup.log, setup.told_of.asked) == (
        JobState.QUEUED,
        None,
        [],
        ["check"] * 2,
    )
    setup.told_of.stale = False
    assert setup.wait(job_id).state is JobState.DONE


def test_what_runs_stops_at_the_next_outside_call_and_is_taken_up_again(
    setup: StaleSetup, gate: threading.Event, until: Until
) -> None:
    def run(ctx: StepContext) -> Any:
        setup.log.append(f"sends {ctx.interrupted}")
        if not ctx.interrupted:
            gate.wait(20)
        fence.check()
        setup.log.append("sent")

    setup.engine.launch()
    job_id = setup.start([setup.step("a", run=run)])
    until(lambda: "sends False" in setup.log)
    setup.told_of.stale = True
    gate.set()
    time.sleep(1.0)
    assert "sent" not in setup.log
    assert setup.engine.get(job_id).state is JobState.RUNNING
    setup.told_of.stale = False
    assert setup.wait(job_id).state is JobState.DONE
    assert setup.log == ["a", "sends False", "a", "sends True", "sent"]


def test_without_the_store_only_what_uses_it_waits(setup: StaleSetup) -> None:
    setup.told_of.unreached = True
    setup.engine.launch()
    recovery, network = setup.start([setup.step("r")], "undo"), setup.start([setup.step("n")], "pause")
    assert setup.wait(network).state is JobState.DONE
    assert setup.engine.get(recovery).state is JobState.QUEUED
    setup.told_of.unreached = False
    assert setup.wait(recovery).state is JobState.DONE


def test_what_is_open_is_in_doubt_and_is_looked_for(setup: StaleSetup) -> None:
    """A job set aside: its undo leaves no step out, and a step that is run again is told so."""
    setup.told_of.stale = True
    setup.engine.launch()
    seen: list[tuple[int, bool]] = []

    def undo(ctx: StepContext, result: object) -> None:
        seen.append((ctx.attempt, ctx.interrupted))

    job_id = setup.start([Step("a", "make a", lambda ctx: None, undo)], "pause")
    restored = RestoredJobs(setup.database)
    assert [job.id for job in restored.at_work()] == [job_id]
    with setup.database.session():
        restored.doubt_open_steps()
        restored.set_aside(job_id, "olga")
    setup.told_of.stale = False
    job = setup.wait(job_id)
    assert (job.state, restored.at_work()) == (JobState.PAUSED, [])
    assert "set aside: the database was restored from a backup (by olga)" in str(job.error)
    assert any("may have been done already" in line.message for line in job.journal)
    setup.engine.undo(job_id, "olga")
    assert setup.wait(job_id).state is JobState.UNDONE
    assert seen == [(1, True)]


@pytest.mark.parametrize("made", [False, True])
def test_an_undo_without_the_result_it_needs(setup: StaleSetup, made: bool) -> None:
    """It takes away nothing where the step has no result of its own, else it has not undone what there is."""

    def undo(ctx: StepContext, result: object) -> None:
        ctx.result_of("a", Made)

    setup.told_of.stale = True
    setup.engine.launch()
    steps = [Step("a", "make a", lambda ctx: Made("a")), Step("b", "make b", lambda ctx: None, undo, ("a",))]
    job_id = setup.start(steps, "pause")
    restored = RestoredJobs(setup.database)
    restored.doubt_open_steps()
    restored.set_aside(job_id, "olga")
    if made:
        with setup.database.session() as session:
            session.get_one(StepRow, (job_id, "b")).result = {"id": "b"}
    setup.told_of.stale = False
    assert setup.wait(job_id).state is JobState.PAUSED
    setup.engine.undo(job_id, "olga")
    job = setup.wait(job_id)
    assert job.state is (JobState.UNDO_FAILED if made else JobState.UNDONE)
    assert ("step a has no result" in str(job.error)) is made
