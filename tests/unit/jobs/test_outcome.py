"""Typed results, the claim on a subject, and the table of what becomes of the object a job was about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.jobs.model import JobKind, JobState, Step, StepContext, StepFailed
from multisite.jobs.outcome import Outcome
from multisite.jobs.view import Job
from tests.unit.jobs.conftest import JobSetup, Until


@dataclass(frozen=True)
class Network:
    id: str
    mtu: int = 1500


class ThingState(StrEnum):
    CREATING = "creating"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Thing:
    id: str
    job_id: str | None = None
    state: ThingState = ThingState.CREATING
    error: str | None = None


class Things:
    """Rows in memory: what a repository is to an outcome."""

    def __init__(self) -> None:
        self.rows: dict[str, Thing] = {}
        self.refuse = 0

    def get(self, id: str) -> Thing:
        if id not in self.rows:
            raise NotFound(f"thing: there is no thing {id!r}")
        return self.rows[id]

    def update(self, item: Thing) -> Thing:
        if self.refuse:
            self.refuse -= 1
            raise OSError("not now")
        self.rows[item.id] = item
        return item

    def change(self, id: str, how: Callable[[Thing], Thing]) -> Thing:
        return self.update(how(self.get(id)))

    def delete(self, id: str) -> None:
        del self.rows[id]


STATES = {
    JobState.DONE: ThingState.READY,
    JobState.UNDONE: ThingState.FAILED,
    JobState.PAUSED: ThingState.STOPPED,
    JobState.UNDO_FAILED: ThingState.STOPPED,
}


def _settled(setup: JobSetup, things: Things, steps: list[Step], thing: Thing, amend: Any = None) -> Job:
    kind = f"thing-{len(setup.plans)}"
    outcome = Outcome(things, "thing", STATES, amend)
    setup.engine.register(JobKind(kind, lambda params: steps, "undo", outcome=outcome))
    with setup.database.session():
        job_id = setup.engine.start(kind, {"thing": thing.id}, title="t", project_id=None, requested_by="u")
        things.rows[thing.id] = replace(thing, job_id=thing.job_id or job_id)
    setup.plans[kind] = steps
    return setup.wait(job_id)


def _fails(ctx: StepContext) -> None:
    raise StepFailed("no room at site a: free some")


def test_results_come_as_the_type_asked_for_also_in_undo(setup: JobSetup) -> None:
    seen: list[object] = []

    def second(ctx: StepContext) -> None:
        seen.append(ctx.result_of("first", Network))
        raise StepFailed("no")

    first = setup.step(
        "first", run=lambda ctx: Network("n1"), undo=lambda ctx, made: seen.append(made), result=Network
    )
    job = setup.run([first, setup.step("second", "first", run=second, undo=None)])
    assert job.state is JobState.UNDONE
    assert seen == [Network("n1"), Network("n1")]


def test_a_result_of_another_shape_fails_the_step_that_reads_it(setup: JobSetup) -> None:
    reads = setup.step("second", "first", run=lambda ctx: ctx.result_of("first", Network), undo=None)
    job = setup.run([setup.step("first", run=lambda ctx: {"mtu": 9000}), reads], "pause")
    assert "result of step first: not a Network: id: Field required" in str(job.error)


def test_a_subject_at_work_is_refused_and_free_again_afterwards(
    setup: JobSetup, gate: threading.Event, until: Until
) -> None:
    job_id = setup.start([setup.step("s", run=lambda ctx: gate.wait(20))], subject="net-1")
    until(lambda: setup.log == ["s"])
    words = (
        rf"network lab: job {job_id} \(a test\) is at work on it, asked for by tester: wait for it, or cancel"
    )
    with pytest.raises(Conflict, match=words), setup.database.session():
        setup.engine.claim("net-1", "network lab")
    with setup.database.session():
        setup.engine.claim("net-2", "network other")
    gate.set()
    setup.wait(job_id)
    with setup.database.session():
        setup.engine.claim("net-1", "network lab")
        setup.start([setup.step("t")], subject="net-1")
        with pytest.raises(Conflict):  # the job of this very session counts already
            setup.engine.claim("net-1", "network lab")


def test_the_table_tells_what_becomes_of_the_object(setup: JobSetup) -> None:
    things = Things()
    _settled(setup, things, [setup.step("s")], Thing("a"))
    job = _settled(setup, things, [setup.step("s", run=_fails)], Thing("b"))
    assert (things.rows["a"].state, things.rows["a"].error) == (ThingState.READY, None)
    assert (things.rows["b"].state, things.rows["b"].error) == (ThingState.FAILED, job.error)


def test_an_object_of_another_job_and_one_that_is_gone_are_left_alone(setup: JobSetup) -> None:
    things = Things()
    _settled(setup, things, [setup.step("s")], Thing("a", job_id="a later one"))
    assert things.rows["a"].state is ThingState.CREATING
    gone = [setup.step("s", run=lambda ctx: things.rows.clear())]
    assert _settled(setup, things, gone, Thing("b")).state is JobState.DONE
    assert things.rows == {}


def test_amend_changes_more_and_may_delete_the_row(setup: JobSetup) -> None:
    things = Things()
    job = _settled(
        setup, things, [setup.step("s")], Thing("a"), lambda was, wanted, job: replace(was, error=job.id)
    )
    assert (things.rows["a"].state, things.rows["a"].error) == (ThingState.CREATING, job.id)
    _settled(setup, things, [setup.step("s")], Thing("b"), lambda was, wanted, job: None)
    assert "b" not in things.rows


def test_a_job_is_not_settled_before_its_object_is_updated(setup: JobSetup) -> None:
    things = Things()
    things.refuse = 1
    job = _settled(setup, things, [setup.step("s")], Thing("a"))
    assert things.rows["a"].state is ThingState.READY
    assert any(
        "could not be updated, trying again" in line.message for line in setup.engine.get(job.id).journal
    )


def test_a_table_with_a_hole_is_refused() -> None:
    with pytest.raises(Invalid, match="states: paused missing"):
        Outcome(Things(), "thing", {s: v for s, v in STATES.items() if s is not JobState.PAUSED})
