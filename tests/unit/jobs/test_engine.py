"""Jobs that go well: order, limits, results, progress, the journal, who may see what."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from jobs.conftest import JobSetup, Until
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.page import Page
from multisite.jobs.dbos_calls import Queue
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, StepContext, StepState
from multisite.jobs.values import plain


def test_a_job_goes_through_its_graph(setup: JobSetup) -> None:
    seen: dict[str, Any] = {}

    def last(ctx: StepContext) -> Any:
        seen.update(job=ctx.job_id, token=ctx.token, attempt=ctx.attempt, interrupted=ctx.interrupted)
        seen["results"] = [ctx.result_of("left", dict), ctx.result_of("first", dict)]
        return ("tuples", "become", "lists")

    steps = [
        setup.step("last", "left", "right", run=last, site="east"),
        setup.step("left", "first"),
        setup.step("right", "first"),
        setup.step("first"),
    ]
    job = setup.run(steps, subject="recovery:1", request_id="req-1")
    assert job.state == JobState.DONE
    assert job.error is None
    assert setup.log[0] == "first"
    assert setup.log[-1] == "last"
    assert seen == {
        "job": job.id,
        "token": f"multisite:{job.id}:last",
        "attempt": 1,
        "interrupted": False,
        "results": [{"made": "left"}, {"made": "first"}],
    }
    assert [step.name for step in job.steps] == ["last", "left", "right", "first"]  # the order of the plan
    step = job.step("last")
    assert (step.state, step.site, step.needs, step.attempt) == (
        StepState.DONE,
        "east",
        ("left", "right"),
        1,
    )
    assert step.elapsed is not None
    assert step.started_at is not None
    assert step.ended_at is not None
    assert job.created_at <= (job.started_at or job.created_at) <= step.started_at <= step.ended_at
    assert job.ended_at is not None
    assert job.ended_at >= step.ended_at
    assert [(told[1], told[0]) for told in setup.told] == [(JobState.DONE, job.id)]


def test_a_job_without_steps_is_done(setup: JobSetup) -> None:
    assert setup.run([]).state == JobState.DONE


def test_steps_run_at_the_same_time_and_limits_hold_across_jobs(setup: JobSetup) -> None:
    lock, running, most = threading.Lock(), {"two": 0, None: 0, "one": 0, "sites:west": 0}, dict[Any, int]()

    def count(limit: str | None) -> Callable[[StepContext], None]:
        def run(ctx: StepContext) -> None:
            with lock:
                running[limit] += 1
                most[limit] = max(most.get(limit, 0), running[limit])
            time.sleep(0.15)
            with lock:
                running[limit] -= 1

        return run

    def steps() -> list[Any]:
        limits = ("two", None, "one", "sites:west")
        return [
            setup.step(f"{limit}-{i}", run=count(limit), limit=limit) for limit in limits for i in range(4)
        ]

    jobs = [setup.start(steps()) for _ in range(2)]
    assert {setup.wait(job).state for job in jobs} == {JobState.DONE}
    assert most["two"] == 2
    assert most["one"] == 1
    assert most["sites:west"] == 3
    assert most[None] > 3


def test_results_only_of_what_is_needed(setup: JobSetup) -> None:
    def nosy(ctx: StepContext) -> Any:
        return ctx.result_of("other", dict)

    job = setup.run([setup.step("other"), setup.step("nosy", run=nosy)])
    assert job.state == JobState.UNDONE
    assert "does not need 'other'" in (job.error or "")


def test_progress_is_shown_and_cheap(setup: JobSetup, gate: threading.Event, until: Until) -> None:
    def copy(ctx: StepContext) -> None:
        begun = time.monotonic()
        for done in range(20_000):
            ctx.progress(done, 20_000, "MiB", "copying")
        took = time.monotonic() - begun
        ctx.progress(19_999, 20_000, "MiB", f"{took:.3f}")
        gate.wait(20)

    job_id = setup.start([setup.step("copy", run=copy)])
    until(lambda: setup.engine.get(job_id).step("copy").done == 19_999)
    step = setup.engine.get(job_id).step("copy")
    assert (step.state, step.total, step.unit) == (StepState.RUNNING, 20_000, "MiB")
    assert float(step.detail) < 5
    assert step.elapsed is not None
    gate.set()
    assert setup.wait(job_id).step("copy").done == 19_999


def test_progress_does_not_wait_for_a_busy_database(setup: JobSetup, until: Until) -> None:
    begin, took = threading.Event(), list[float]()

    def copy(ctx: StepContext) -> None:
        begin.wait(20)
        started = time.monotonic()
        ctx.progress(1, 2)
        time.sleep(0.4)
        ctx.progress(2, 2, "backups")
        took.append(time.monotonic() - started)

    job_id = setup.start([setup.step("copy", run=copy)])
    until(lambda: setup.log == ["copy"])
    with setup.database.session():  # nobody else can write
        begin.set()
        until(lambda: bool(took))
    assert took[0] < 2
    job = setup.wait(job_id)
    assert (job.step("copy").done, job.step("copy").unit) == (2, "backups")  # the last report is never lost


def test_the_journal_tells_who_did_what_when(setup: JobSetup) -> None:
    def speak(ctx: StepContext) -> None:
        ctx.event("frozen", seconds=1.5, step="x", who="y", job_id="q")

    job = setup.run([setup.step("speak", run=speak)])
    assert [(line.who, line.message, line.step) for line in job.journal] == [
        ("tester", "accepted: a test", None),
        ("undo", "frozen", "speak"),
        ("multisite", "done", None),
    ]
    assert job.journal[1].data == {"seconds": 1.5, "step": "x", "who": "y", "job_id": "q"}
    assert [line.at for line in job.journal] == sorted(line.at for line in job.journal)


def test_it_reads_as_json(setup: JobSetup) -> None:
    job = setup.run([setup.step("a"), setup.step("b", "a")])
    data = json.loads(json.dumps(plain(job, "job")))
    assert data["state"] == "done"
    assert data["created_at"].endswith("+00:00")
    assert data["steps"][1]["needs"] == ["a"]
    assert data["steps"][1]["state"] == "done"
    assert data["journal"][0]["who"] == "tester"
    assert "params" not in data


def test_jobs_are_found_by_project_and_subject(setup: JobSetup) -> None:
    first = setup.run([setup.step("a")], project_id="px", subject="protection:7")
    second = setup.run([], project_id="px")
    assert [job.id for job in setup.engine.list("px")] == [second.id, first.id]
    assert [job.id for job in setup.engine.list("px", page=Page(1))] == [second.id]
    (found,) = setup.engine.list(subject="protection:7")
    assert found.id == first.id
    assert found.steps == ()
    assert setup.engine.get(found.id).steps[0].state == StepState.DONE
    assert setup.engine.get(first.id, "px").id == first.id
    with pytest.raises(NotFound):
        setup.engine.get(first.id, "py")
    with pytest.raises(NotFound):
        setup.engine.get("no-such-job")


def test_what_cannot_be_kept_is_refused(setup: JobSetup) -> None:
    class Token(str):
        def __repr__(self) -> str:
            return "***"

    start = {"title": "t", "project_id": "p", "requested_by": "me"}
    with pytest.raises(Invalid, match=r"params\.t: Token"):
        setup.engine.start("undo", {"t": Token("s3cr3t")}, **start)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="kind: 'nope'"):
        setup.engine.start("nope", {}, **start)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="needs 'ghost'"):
        setup.start([setup.step("a", "ghost")])

    def leak(ctx: StepContext) -> Any:
        for say in (
            lambda: ctx.event("x", token=Token("s3cr3t")),
            lambda: ctx.progress(1, detail=Token("s3cr3t")),
        ):
            with pytest.raises(Invalid, match="Token"):
                say()
        return {"token": Token("s3cr3t")}

    job = setup.run([setup.step("leak", run=leak)])
    assert job.state == JobState.UNDONE
    assert "result of step leak.token: Token is not plain JSON" in (job.error or "")
    assert "s3cr3t" not in json.dumps(plain(job, "job"))
    directory = setup.database.path.parent  # type: ignore[union-attr]
    assert len(list(directory.iterdir())) >= 3
    assert not any(b"s3cr3t" in file.read_bytes() for file in directory.iterdir())


def test_rows_written_with_a_job_are_kept_or_lost_with_it(setup: JobSetup) -> None:
    before = len(setup.engine.list())

    def start_and_fail() -> None:
        with setup.database.session():
            setup.start([setup.step("a")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start_and_fail()
    assert len(setup.engine.list()) == before
    with setup.database.session():
        job_id = setup.start([setup.step("b")])
        time.sleep(0.1)
        assert setup.log == []
    assert setup.wait(job_id).state == JobState.DONE
    assert setup.log == ["b"]


def test_its_kind_is_told_until_it_listens(setup: JobSetup) -> None:
    failures = [OSError("disk"), OSError("disk")]

    def tell(job_id: str, state: JobState) -> None:
        if failures:
            raise failures.pop()
        assert setup.engine.get(job_id).state == JobState.DONE

    setup.tell = tell
    job = setup.run([setup.step("a")])
    assert [told[1] for told in setup.told] == [JobState.DONE]
    assert any("OSError: disk" in line.message for line in job.journal)


def test_waiting_has_an_end(setup: JobSetup, gate: threading.Event) -> None:
    job_id = setup.start([setup.step("slow", run=lambda ctx: gate.wait(20))])
    begun = time.monotonic()
    job = setup.engine.wait(job_id, 0.3)
    assert 0.2 < time.monotonic() - begun < 5
    assert not job.settled
    gate.set()
    assert setup.wait(job_id).state == JobState.DONE


def test_a_second_start_of_the_same_run_does_nothing(setup: JobSetup) -> None:
    queue = Queue(setup.database)

    def again() -> None:
        with setup.database.session() as session:
            queue.put(session, job_id, 1)

    job_id = setup.start([setup.step("once", run=lambda ctx: time.sleep(0.2))])
    for _ in range(3):
        again()
    assert setup.wait(job_id).state == JobState.DONE
    again()
    time.sleep(0.5)
    assert setup.log == ["once"]


def test_kinds_are_checked(setup: JobSetup) -> None:
    engine = JobEngine(setup.database)
    engine.register(JobKind("k", lambda params: [], "undo", limits={"calls": 4}))
    with pytest.raises(Invalid, match="twice"):
        engine.register(JobKind("k", lambda params: [], "undo"))
    with pytest.raises(Invalid, match="limit 'calls'"):
        engine.register(JobKind("l", lambda params: [], "undo", limits={"calls": 5}))
    with pytest.raises(Invalid, match="below 1"):
        engine.register(JobKind("m", lambda params: [], "undo", limits={"none": 0}))


def test_one_engine_per_process(setup: JobSetup) -> None:
    with pytest.raises(Conflict, match="already running in this process"):
        JobEngine(setup.database).launch()
