"""Jobs that do not go well: truthful states, nothing forgotten, the operator decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from jobs.conftest import Bench
from multisite.domain.errors import Conflict
from multisite.jobs.model import JobState, StepContext, StepFailed, StepState

Until = Callable[[Callable[[], bool]], None]


def _fail(ctx: StepContext) -> None:
    raise StepFailed("quota of volumes is used up: raise it, then resume")


def _fail_undo(ctx: StepContext, result: Any) -> None:
    raise StepFailed("server is still there")


def _states(job: Any) -> dict[str, str]:
    return {step.name: str(step.state) for step in job.steps}


def test_undo_at_once_last_first(bench: Bench) -> None:
    results: list[Any] = []

    def undo_b(ctx: StepContext, result: Any) -> None:
        bench.log.append("-b")
        results.append((result, ctx.result_of("a", dict), ctx.attempt, ctx.cancelled()))

    steps = [
        bench.step("a"),
        bench.step("b", "a", undo=undo_b),
        bench.step("c", "b", "read", run=_fail),
        bench.step("d", "c"),
        bench.step("read", "a", undo=None),
    ]
    job = bench.run(steps, "undo")
    assert job.state == JobState.UNDONE
    assert job.error == "make c: quota of volumes is used up: raise it, then resume"
    assert _states(job) == {"a": "undone", "b": "undone", "c": "undone", "d": "skipped", "read": "undone"}
    assert [name for name in bench.log if name != "read"] == ["a", "b", "c", "-c", "-b", "-a"]
    assert results == [({"made": "b"}, {"made": "a"}, 1, False)]
    assert [told[1] for told in bench.told] == [JobState.UNDONE]
    assert job.ended_at is not None


def test_a_failed_step_is_undone_without_result(bench: Bench) -> None:
    seen: list[Any] = []
    job = bench.run([bench.step("half", run=_fail, undo=lambda ctx, result: seen.append(result))])
    assert seen == [None]
    assert job.step("half").state == StepState.UNDONE


def test_an_unexpected_exception_is_a_failure_too(bench: Bench) -> None:
    def crash(ctx: StepContext) -> None:
        raise KeyError("volume")

    job = bench.run([bench.step("a", run=crash)], "pause")
    assert job.state == JobState.PAUSED
    assert job.step("a").error == "KeyError: 'volume'"


def test_pause_keeps_what_was_made_and_resume_does_the_rest(bench: Bench, until: Until) -> None:
    broken = True

    def sometimes(ctx: StepContext) -> Any:
        if broken:
            _fail(ctx)
        return ctx.attempt

    steps = [
        bench.step("a"),
        bench.step("b", "a", run=sometimes),
        bench.step("c", "b"),
        bench.step("apart", "a"),
    ]
    job = bench.run(steps, "pause")
    assert job.state == JobState.PAUSED
    assert job.ended_at is None
    assert _states(job) == {"a": "done", "b": "failed", "c": "skipped", "apart": "done"}
    assert "quota" in (job.error or "")
    bench.engine.resume(job.id, "op")
    job = bench.wait(job.id)
    assert job.state == JobState.PAUSED
    assert job.step("b").attempt == 2
    broken = False
    bench.engine.resume(job.id, "op")
    job = bench.wait(job.id)
    assert job.state == JobState.DONE
    assert job.error is None
    assert sorted(bench.log) == ["a", "apart", "b", "b", "b", "c"]
    assert job.step("b").attempt == 3
    assert [told[1] for told in bench.told] == [JobState.PAUSED, JobState.PAUSED, JobState.DONE]
    assert [line.who for line in job.journal if line.message == "resume requested"] == ["op", "op"]
    with pytest.raises(Conflict, match="is done and cannot be resumed; only a job that is paused can"):
        bench.engine.resume(job.id, "op")


def test_undo_of_a_paused_and_of_a_done_job(bench: Bench) -> None:
    paused = bench.run([bench.step("a"), bench.step("b", "a", run=_fail)], "pause")
    bench.engine.undo(paused.id, "op")
    job = bench.wait(paused.id)
    assert job.state == JobState.UNDONE
    assert "quota" in (job.error or "")
    assert bench.log == ["a", "b", "-b", "-a"]
    done = bench.run([bench.step("c"), bench.step("d", "c")])
    bench.engine.undo(done.id, "op")
    job = bench.wait(done.id)
    assert (job.state, job.error) == (JobState.UNDONE, None)
    assert bench.log[-2:] == ["-d", "-c"]
    with pytest.raises(Conflict, match="undone and cannot be undone"):
        bench.engine.undo(done.id, "op")


def test_a_failed_undo_is_said_and_can_be_asked_again(bench: Bench) -> None:
    """The lesson of E7: an engine that reports a clean rollback that did not happen."""
    broken = True

    def undo_b(ctx: StepContext, result: Any) -> None:
        if broken:
            _fail_undo(ctx, result)
        bench.log.append("-b")

    steps = [
        bench.step("a"),
        bench.step("apart"),
        bench.step("b", "a", undo=undo_b),
        bench.step("c", "b", "apart", run=_fail),
    ]
    job = bench.run(steps, "undo")
    assert job.state == JobState.UNDO_FAILED
    assert _states(job) == {"a": "done", "apart": "undone", "b": "undo_failed", "c": "undone"}
    assert job.step("b").error == "server is still there"
    assert "quota" in (job.error or "")
    assert "not undone: 2 of 4 steps: make b: server is still there" in (job.error or "")
    bench.engine.undo(job.id, "op")
    assert bench.wait(job.id).state == JobState.UNDO_FAILED
    broken = False
    bench.engine.undo(job.id, "op")
    job = bench.wait(job.id)
    assert job.state == JobState.UNDONE
    assert job.error == "make c: quota of volumes is used up: raise it, then resume"
    assert set(_states(job).values()) == {"undone"}
    assert bench.log[-2:] == ["-b", "-a"]
    assert [bench.log.count(name) for name in ("-a", "-apart", "-b", "-c")] == [1, 1, 1, 1]


def test_cancel_stops_and_the_policy_decides(bench: Bench, until: Until) -> None:
    def patient(ctx: StepContext) -> None:
        while not ctx.cancelled():
            time.sleep(0.01)
        raise StepFailed("stopped on request")

    def steps() -> list[Any]:
        return [
            bench.step("a"),
            bench.step("wait", "a", run=patient),
            bench.step("b", "wait"),
            bench.step("queued", "a", run=patient, limit="one"),
            bench.step("queued2", "a", run=patient, limit="one"),
        ]

    for policy, state in (("undo", JobState.UNDONE), ("pause", JobState.PAUSED)):
        bench.log = []
        job_id = bench.start(steps(), policy)  # type: ignore[arg-type]
        until(lambda: "wait" in bench.log and bool({"queued", "queued2"} & set(bench.log)))
        bench.engine.cancel(job_id, "op")
        bench.engine.cancel(job_id, "op")
        job = bench.wait(job_id)
        assert job.state == state
        assert job.cancel_requested
        assert (job.error or "").startswith("cancelled by the operator")
        assert job.step("b").state == StepState.SKIPPED
        assert len({"queued", "queued2"} & set(bench.log)) == 1
        with pytest.raises(Conflict, match="cannot be cancelled"):
            bench.engine.cancel(job_id, "op")
        assert [line.message for line in job.journal].count("cancel requested") == 1


def test_a_cancelled_job_can_go_on(bench: Bench, gate: threading.Event, until: Until) -> None:
    steps = [
        bench.step("a", run=lambda ctx: gate.wait(20)),
        bench.step("b", "a", run=lambda ctx: ctx.cancelled()),
    ]
    job_id = bench.start(steps, "pause")
    until(lambda: bench.log == ["a"])
    bench.engine.cancel(job_id, "op")
    gate.set()
    job = bench.wait(job_id)
    assert job.state == JobState.PAUSED
    assert _states(job) == {"a": "done", "b": "skipped"}
    bench.engine.resume(job_id, "op")
    job = bench.wait(job_id)
    assert job.state == JobState.DONE
    assert not job.cancel_requested
    assert bench.log == ["a", "b"]
    assert bench.engine._records.result(job_id, "b") is False  # the new run was not cancelled


def test_a_cancel_that_comes_too_late_changes_nothing(
    bench: Bench, gate: threading.Event, until: Until
) -> None:
    job_id = bench.start([bench.step("last", run=lambda ctx: gate.wait(20))])
    until(lambda: bench.log == ["last"])
    bench.engine.cancel(job_id, "op")
    gate.set()
    job = bench.wait(job_id)
    assert (job.state, job.error) == (JobState.DONE, None)


def test_undo_while_running_needs_a_cancel_first(bench: Bench, gate: threading.Event, until: Until) -> None:
    job_id = bench.start([bench.step("a", run=lambda ctx: gate.wait(20)), bench.step("b", "a")], "pause")
    until(lambda: bench.log == ["a"])
    with pytest.raises(Conflict, match="cancel it before"):
        bench.engine.undo(job_id, "op")
    bench.engine.cancel(job_id, "op")
    bench.engine.undo(job_id, "op")
    gate.set()
    job = bench.wait(job_id)
    assert job.state == JobState.UNDONE
    assert bench.log == ["a", "-a"]
    assert [told[1] for told in bench.told] == [JobState.UNDONE]


def test_undo_is_not_stopped_by_the_cancel_that_caused_it(
    bench: Bench, gate: threading.Event, until: Until
) -> None:
    seen: list[bool] = []
    step = bench.step(
        "a", run=lambda ctx: gate.wait(20), undo=lambda ctx, result: seen.append(ctx.cancelled())
    )
    job_id = bench.start([step, bench.step("b", "a")])
    until(lambda: bench.log == ["a"])
    bench.engine.cancel(job_id, "op")
    gate.set()
    assert bench.wait(job_id).state == JobState.UNDONE
    assert seen == [False]


def test_undo_policy_begins_nothing_new_after_a_failure(
    bench: Bench, gate: threading.Event, until: Until
) -> None:
    others_run = threading.Event()

    def fail_late(ctx: StepContext) -> None:
        others_run.wait(20)
        _fail(ctx)

    steps = [
        bench.step("bad", run=fail_late),
        bench.step("running", run=lambda ctx: gate.wait(20)),
        bench.step("queued1", run=lambda ctx: gate.wait(20), limit="one"),
        bench.step("queued2", run=lambda ctx: gate.wait(20), limit="one"),
    ]
    job_id = bench.start(steps)
    until(lambda: {"bad", "running"} <= set(bench.log) and bool({"queued1", "queued2"} & set(bench.log)))
    others_run.set()
    until(lambda: bench.engine.get(job_id).step("bad").state == StepState.FAILED)
    gate.set()
    job = bench.wait(job_id)
    assert job.state == JobState.UNDONE
    assert len({"queued1", "queued2"} & set(bench.log)) == 1
    assert sorted(_states(job).values()) == ["skipped", "undone", "undone", "undone"]


def test_a_plan_that_cannot_be_rebuilt_pauses_the_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    job = bench.run([bench.step("a"), bench.step("b", "a", run=_fail)], "pause")
    (plan,) = [plan for plan, steps in bench.plans.items() if len(steps) == 2 and steps[1].name == "b"][-1:]
    kept = bench.plans[plan]
    for other in ([bench.step("a")], []):
        bench.plans[plan] = other
        bench.engine.resume(job.id, "op")
        job = bench.wait(job.id)
        assert job.state == JobState.PAUSED
        assert "other steps than" in (job.error or "")
    bench.plans[plan] = []
    bench.engine.undo(job.id, "op")
    job = bench.wait(job.id)
    assert job.state == JobState.UNDO_FAILED
    bench.plans[plan] = kept
    bench.engine.undo(job.id, "op")
    assert bench.wait(job.id).state == JobState.UNDONE
    assert bench.log == ["a", "b", "-b", "-a"]
