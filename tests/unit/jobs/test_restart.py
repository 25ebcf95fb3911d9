"""An orderly stop leaves what is unfinished to the next launch; nobody else may work on the same database."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs.conftest import Bench

from multisite.domain.errors import Conflict
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState, StepContext, StepState
from multisite.jobs.records import Abandoned, Records
from multisite.store.database import Database

Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.engine.shutdown(1)


def test_a_job_accepted_before_launch_is_carried_out(fresh: Bench) -> None:
    job_id = fresh.start([fresh.step("a")])
    assert fresh.engine.get(job_id).state == JobState.QUEUED
    fresh.engine.launch()
    assert fresh.wait(job_id).state == JobState.DONE
    with pytest.raises(Conflict, match="launched once"):
        fresh.engine.launch()


def test_stopping_lets_steps_end_or_notice_and_the_next_launch_goes_on(fresh: Bench, until: Until) -> None:
    seen: list[tuple[int, bool]] = []

    def patient(ctx: StepContext) -> None:
        seen.append((ctx.attempt, ctx.interrupted))
        while len(seen) == 1:
            ctx.progress(len(seen))
            time.sleep(0.01)

    def quick(ctx: StepContext) -> str:
        time.sleep(0.3)
        return "made"

    steps = [fresh.step("quick", run=quick), fresh.step("patient", run=patient), fresh.step("b", "quick", "patient")]
    fresh.engine.launch()
    job_id = fresh.start(steps)
    until(lambda: {"quick", "patient"} <= set(fresh.log))
    begun = time.monotonic()
    fresh.engine.shutdown(10)
    assert time.monotonic() - begun < 8
    states = {step.name: step.state for step in fresh.engine.get(job_id).steps}
    assert states == {"quick": StepState.DONE, "patient": StepState.RUNNING, "b": StepState.WAITING}
    fresh.engine = fresh.new_engine()
    fresh.engine.launch()
    job = fresh.wait(job_id)
    assert job.state == JobState.DONE
    assert seen == [(1, False), (2, True)]
    assert sorted(fresh.log) == ["b", "patient", "patient", "quick"]
    assert any("interrupted" in line.message and line.step == "patient" for line in job.journal)


def test_a_step_that_outlives_its_engine_changes_nothing_any_more(fresh: Bench, until: Until) -> None:
    """A zombie: its effect cannot be called back, but it neither records anything nor begins another step."""
    fresh.engine.launch()
    naps = [1.5, 0.0]
    job_id = fresh.start([fresh.step("slow", run=lambda ctx: time.sleep(naps.pop(0))), fresh.step("b", "slow")])
    until(lambda: fresh.log == ["slow"])
    fresh.engine.shutdown(0.1)
    fresh.engine = fresh.new_engine()
    fresh.engine.launch()
    job = fresh.wait(job_id)
    time.sleep(1.5)
    assert fresh.engine.get(job_id) == job
    assert fresh.log == ["slow", "slow", "b"]


def test_a_stale_claim_is_void(fresh: Bench) -> None:
    job_id = fresh.start([fresh.step("a")])
    records = Records(fresh.database)
    old = records.claim(job_id, 1)
    new = records.claim(job_id, 1)
    assert old is not None
    assert new is not None
    for write in (
        lambda: records.begin(old, "a", "undo"),
        lambda: records.end(old, "a", StepState.DONE),
        lambda: records.begin_undo(old, "a", has_undo=True),
        lambda: records.conclude(old, "undo"),
        lambda: records.settle(old),
    ):
        with pytest.raises(Abandoned):
            write()
    assert records.begin(new, "a", "undo").go
    assert records.claim(job_id, 2) is None


def test_a_kind_that_is_gone_pauses_its_jobs(fresh: Bench) -> None:
    job_id = fresh.start([fresh.step("a")])
    fresh.engine = JobEngine(fresh.database)
    fresh.engine.launch()
    job = fresh.wait(job_id)
    assert job.state == JobState.PAUSED
    assert "not a kind of job of this release" in (job.error or "")


def _launch_another(url: str, answer: Any) -> None:
    try:
        JobEngine(Database(url)).launch()
        answer.send("launched")
    except Conflict as error:
        answer.send(str(error))


def test_a_second_process_is_refused(fresh: Bench) -> None:
    fresh.engine.launch()
    spawn = multiprocessing.get_context("spawn")
    receive, send = spawn.Pipe(duplex=False)
    other = spawn.Process(target=_launch_another, args=(str(fresh.database.url), send))
    other.start()
    assert receive.poll(60)
    words = receive.recv()
    other.join(20)
    assert "another process (pid " in words
    assert "multisite.db.lock" in words
