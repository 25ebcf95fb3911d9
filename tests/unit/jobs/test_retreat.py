"""Jobs that go back to where they were shorter when a part of them fails, and try that part anew when resumed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jobs.conftest import JobSetup, Until
from multisite.jobs.model import JobKind, JobState, Step, StepContext, StepFailed
from multisite.jobs.view import Job


class Parts:
    """Parts one after the other: ``begin-n``, then ``work-n``; ``-2`` behind it the second time a part is tried."""

    def __init__(self, path: Path, parts: int = 2) -> None:
        self.setup, self.parts = JobSetup(path), parts
        self.fails: set[str] = set()
        self.stays: set[str] = set()
        self.work: Callable[[StepContext], None] = lambda _: None
        self.register()

    def register(self) -> None:
        finished = self.setup._finished
        kind = JobKind("parts", self.build, "pause", grow=self.grow, retreat=self.retreat, finished=finished)
        self.setup.engine.register(kind)
        self.setup.engine.launch()

    def again(self) -> None:
        """A new process."""
        self.setup.engine.shutdown()
        self.setup.engine = self.setup.new_engine()
        self.register()

    def build(self, params: Mapping[str, Any]) -> list[Step]:
        steps = [self._step("look")]
        for number, tried in enumerate(params.get("tried", ()), 1):
            if tried > 0:
                begin = _named("begin", number, tried)
                steps += [self._step(begin, "look"), self._step(_named("work", number, tried), begin)]
        return steps

    def grow(self, params: Mapping[str, Any], result: Callable[[str], Any]) -> Mapping[str, Any] | None:
        tried = list(params.get("tried", ()))
        last = _named("work", len(tried), tried[-1]) if tried and tried[-1] > 0 else "look"
        if result(last) is None:
            return None
        if tried and tried[-1] < 0:
            return {"tried": [*tried[:-1], 1 - tried[-1]]}
        return {"tried": [*tried, 1]} if len(tried) < self.parts else None

    def retreat(self, params: Mapping[str, Any], result: Callable[[str], Any]) -> Mapping[str, Any] | None:
        tried = list(params.get("tried", ()))
        if not tried or tried[-1] < 0 or result(_named("work", len(tried), tried[-1])) is not None:
            return None
        return {"tried": [*tried[:-1], -tried[-1]]}

    def _step(self, name: str, *needs: str) -> Step:
        def run(ctx: StepContext) -> Any:
            self.work(ctx)
            if name in self.fails:
                raise StepFailed("out of luck")
            return {"made": name}

        def undo(_ctx: StepContext, _result: Any) -> None:
            if name in self.stays:
                raise StepFailed("it cannot be removed")
            self.setup.log.append(f"-{name}")

        return self.setup.step(name, *needs, run=run, undo=undo)

    def start(self) -> str:
        return self.setup.engine.start("parts", {}, title="t", project_id="p1", requested_by="tester")

    def resume(self, job_id: str) -> Job:
        self.setup.engine.resume(job_id, "tester")
        return self.setup.wait(job_id)


def _named(what: str, number: int, tried: int) -> str:
    return f"{what}-{number}" + (f"-{tried}" if tried > 1 else "")


def names(job: Job) -> list[str]:
    return [step.name for step in job.steps]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.setup.engine.shutdown()


def test_without_a_failure_nothing_is_taken_back(parts: Parts) -> None:
    job = parts.setup.wait(parts.start())
    assert (job.state, names(job)) == (JobState.DONE, ["look", "begin-1", "work-1", "begin-2", "work-2"])
    assert parts.setup.log == names(job)


def test_the_part_that_failed_is_taken_back_and_tried_anew(parts: Parts) -> None:
    parts.fails.add("work-2")
    job_id = parts.start()
    job = parts.setup.wait(job_id)
    assert (job.state, names(job)) == (JobState.PAUSED, ["look", "begin-1", "work-1"])
    assert parts.setup.log[-2:] == ["-work-2", "-begin-2"], "the last first, and nothing of the part before"
    assert job.error == ("make work-2: out of luck; what was begun since was taken back: resume, or undo")
    job = parts.resume(job_id)
    assert (job.state, job.error) == (JobState.DONE, None)
    assert names(job)[3:] == ["begin-2-2", "work-2-2"]
    assert parts.setup.log.count("work-1") == 1


def test_undone_after_it_went_back(parts: Parts) -> None:
    parts.fails.add("work-2")
    job_id = parts.start()
    parts.setup.wait(job_id)
    parts.setup.log.clear()
    parts.setup.engine.undo(job_id, "tester")
    assert parts.setup.wait(job_id).state is JobState.UNDONE
    assert parts.setup.log == ["-work-1", "-begin-1", "-look"]


def test_a_failure_of_what_is_never_taken_back_pauses(parts: Parts) -> None:
    parts.fails.add("look")
    job_id = parts.start()
    job = parts.setup.wait(job_id)
    assert (job.state, job.error, parts.setup.log) == (JobState.PAUSED, "make look: out of luck", ["look"])
    parts.fails.clear()
    assert parts.resume(job_id).state is JobState.DONE


@pytest.mark.parametrize("order", ["resume", "undo"])
def test_what_cannot_be_taken_back_is_told_and_tried_again(parts: Parts, order: str) -> None:
    parts.fails.add("work-1")
    parts.stays.add("work-1")
    job_id = parts.start()
    job = parts.setup.wait(job_id)
    assert job.state is JobState.PAUSED
    assert "make work-1: it cannot be removed" in str(job.error)
    assert "-begin-1" not in parts.setup.log, "what it needs is kept while it is there"
    assert names(job) == ["look", "begin-1", "work-1"]
    parts.fails.clear()
    if order == "resume":
        assert "work-1: it cannot be removed" in str(parts.resume(job_id).error)
    parts.stays.clear()
    if order == "resume":
        job = parts.resume(job_id)
        assert (job.state, job.error) == (JobState.DONE, None), "it goes on at once"
        assert names(job)[:3] == ["look", "begin-1-2", "work-1-2"]
    else:
        parts.setup.engine.undo(job_id, "tester")
        assert parts.setup.wait(job_id).state is JobState.UNDONE
    assert parts.setup.log.count("-begin-1") == 1


def test_canceled_the_part_is_taken_back(parts: Parts, until: Until) -> None:
    began, go = threading.Event(), threading.Event()

    def work(ctx: StepContext) -> None:
        if ctx.step == "begin-2":
            began.set()
            assert go.wait(20)

    parts.work = work
    job_id = parts.start()
    assert began.wait(20)
    parts.setup.engine.cancel(job_id, "tester")
    go.set()
    job = parts.setup.wait(job_id)
    assert (job.state, names(job)) == (JobState.PAUSED, ["look", "begin-1", "work-1"])
    assert str(job.error).startswith("cancelled by the operator; ")
    assert parts.resume(job_id).state is JobState.DONE


@pytest.mark.parametrize("dies_at", ["begin_retreat", "begin_undo", "end", "end_retreat"])
def test_whoever_carries_on_ends_the_retreat_first(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    """The worker stops at a boundary of it, each in turn."""
    from multisite.jobs.records import Abandoned, Records

    parts.fails.add("work-2")
    original, stopped = getattr(Records, dies_at), threading.Event()

    def dying(self: Records, *args: Any, **more: Any) -> Any:
        answer = original(self, *args, **more)
        retreating = dies_at != "end" or "-work-2" in parts.setup.log
        if retreating and not stopped.is_set():
            stopped.set()
            parts.setup.engine._state = "stopping"
            raise Abandoned("the worker is stopping")
        return answer

    monkeypatch.setattr(Records, dies_at, dying)
    job_id = parts.start()
    assert stopped.wait(20)
    parts.setup.engine._state = "running"
    parts.again()
    job = parts.setup.wait(job_id)
    assert (job.state, names(job)) == (JobState.PAUSED, ["look", "begin-1", "work-1"]), job.error
    assert "make work-2: out of luck" in str(job.error)
    assert parts.setup.log.count("work-2") == 1, "nothing is begun anew meanwhile"
    assert parts.setup.log.index("-work-2") < parts.setup.log.index("-begin-2")
    assert parts.resume(job_id).state is JobState.DONE
