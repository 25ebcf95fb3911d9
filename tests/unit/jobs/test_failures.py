"""Jobs that do not go well: truthful states, nothing forgotten, the operator decides."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from jobs.conftest import JobSetup, Until
from multisite.domain.errors import Conflict
from multisite.jobs.model import JobState, StepContext, StepFailed, StepState


def _fail(ctx: StepContext) -> None:
    raise StepFailed("quota of volumes is used up: raise it, then resume")


def _fail_undo(ctx: StepContext, result: Any) -> None:
    raise StepFailed("server is still there")


def _states(job: Any) -> dict[str, str]:
    return {step.name: str(step.state) for step in job.steps}


def test_undo_at_once_last_first(setup: JobSetup) -> None:
    results: list[Any] = []

    def undo_b(ctx: StepContext, result: Any) -> None:
        setup.log.append("-b")
        results.append((result, ctx.result_of("a", dict), ctx.attempt, ctx.cancelled()))

    def undo_c(ctx: StepContext, result: Any) -> None:
        time.sleep(0.3)  # whoever does not wait for it comes first
        setup.log.append("-c")

    steps = [
        setup.step("a"),
        setup.step("b", "a", undo=undo_b),
        setup.step("c", "b", "read", run=_fail, undo=undo_c),
        setup.step("d", "c"),
        setup.step("read", "a", undo=None),
    ]
    job = setup.run(steps, "undo")
    assert job.state == JobState.UNDONE
    assert job.error == "make c: quota of volumes is used up: raise it, then resume"
    assert _states(job) == {"a": "undone", "b": "undone", "c": "undone", "d": "skipped", "read": "undone"}
    assert [name for name in setup.log if name != "read"] == ["a", "b", "c", "-c", "-b", "-a"]
    assert results == [({"made": "b"}, {"made": "a"}, 1, False)]
    assert [told[1] for told in setup.told] == [JobState.UNDONE]
    assert job.ended_at is not None


def test_a_failed_step_is_undone_without_result(setup: JobSetup) -> None:
    seen: list[Any] = []
    job = setup.run([setup.step("half", run=_fail, undo=lambda ctx, result: seen.append(result))])
    assert seen == [None]
    assert job.step("half").state == StepState.UNDONE


def test_an_unexpected_exception_is_a_failure_too(setup: JobSetup) -> None:
    def crash(ctx: StepContext) -> None:
        raise KeyError("volume")

    job = setup.run([setup.step("a", run=crash)], "pause")
    assert job.state == JobState.PAUSED
    assert job.step("a").error == "KeyError: 'volume'"


def test_pause_keeps_what_was_made_and_resume_does_the_rest(setup: JobSetup, until: Until) -> None:
    broken = True

    def sometimes(ctx: StepContext) -> Any:
        if broken:
            _fail(ctx)
        return ctx.attempt

    steps = [
        setup.step("a"),
        setup.step("b", "a", run=sometimes),
        setup.step("c", "b"),
        setup.step("apart", "a"),
    ]
    job = setup.run(steps, "pause")
    assert job.state == JobState.PAUSED
    assert job.ended_at is None
    assert _states(job) == {"a": "done", "b": "failed", "c": "skipped", "apart": "done"}
    assert "quota" in (job.error or "")
    setup.engine.resume(job.id, "op")
    job = setup.wait(job.id)
    assert job.state == JobState.PAUSED
    assert job.step("b").attempt == 2
    broken = False
    setup.engine.resume(job.id, "op")
    job = setup.wait(job.id)
    assert job.state == JobState.DONE
    assert job.error is None
    assert sorted(setup.log) == ["a", "apart", "b", "b", "b", "c"]
    assert job.step("b").attempt == 3
    assert [told[1] for told in setup.told] == [JobState.PAUSED, JobState.PAUSED, JobState.DONE]
    assert [line.who for line in job.journal if line.message == "resume requested"] == ["op", "op"]
    with pytest.raises(Conflict, match="is done and cannot be resumed; only a job that is paused can"):
        setup.engine.resume(job.id, "op")


def test_undo_of_a_paused_and_of_a_done_job(setup: JobSetup) -> None:
    paused = setup.run([setup.step("a"), setup.step("b", "a", run=_fail)], "pause")
    setup.engine.undo(paused.id, "op")
    job = setup.wait(paused.id)
    assert job.state == JobState.UNDONE
    assert "quota" in (job.error or "")
    assert setup.log == ["a", "b", "-b", "-a"]
    done = setup.run([setup.step("c"), setup.step("d", "c")])
    setup.engine.undo(done.id, "op")
    job = setup.wait(done.id)
    assert (job.state, job.error) == (JobState.UNDONE, None)
    assert setup.log[-2:] == ["-d", "-c"]
    with pytest.raises(Conflict, match="undone and cannot be undone"):
        setup.engine.undo(done.id, "op")


def test_a_failed_undo_is_said_and_can_be_asked_again(setup: JobSetup) -> None:
    """The lesson of E7: an engine that reports a clean rollback that did not happen."""
    broken = True

    def undo_b(ctx: StepContext, result: Any) -> None:
        if broken:
            _fail_undo(ctx, result)
        setup.log.append("-b")

    steps = [
        setup.step("a"),
        setup.step("apart"),
        setup.step("b", "a", undo=undo_b),
        setup.step("c", "b", "apart", run=_fail),
    ]
    job = setup.run(steps, "undo")
    assert job.state == JobState.UNDO_FAILED
    assert _states(job) == {"a": "done", "apart": "undone", "b": "undo_failed", "c": "undone"}
    assert job.step("b").error == "server is still there"
    assert "quota" in (job.error or "")
    assert "not undone: 2 of 4 steps: make b: server is still there" in (job.error or "")
    setup.engine.undo(job.id, "op")
    assert setup.wait(job.id).state == JobState.UNDO_FAILED
    broken = False
    setup.engine.undo(job.id, "op")
    job = setup.wait(job.id)
    assert job.state == JobState.UNDONE
    assert job.error == "make c: quota of volumes is used up: raise it, then resume"
    assert set(_states(job).values()) == {"undone"}
    assert setup.log[-2:] == ["-b", "-a"]
    assert [setup.log.count(name) for name in ("-a", "-apart", "-b", "-c")] == [1, 1, 1, 1]


def test_cancel_stops_and_the_policy_decides(setup: JobSetup, until: Until) -> None:
    def patient(ctx: StepContext) -> None:
        while not ctx.cancelled():
            time.sleep(0.01)
        raise StepFailed("stopped on request")

    def steps() -> list[Any]:
        return [
            setup.step("a"),
            setup.step("wait", "a", run=patient),
            setup.step("b", "wait"),
            setup.step("queued", "a", run=patient, limit="one"),
            setup.step("queued2", "a", run=patient, limit="one"),
        ]

    for policy, state in (("undo", JobState.UNDONE), ("pause", JobState.PAUSED)):
        setup.log = []
        job_id = setup.start(steps(), policy)  # type: ignore[arg-type]
        until(lambda: "wait" in setup.log and bool({"queued", "queued2"} & set(setup.log)))
        setup.engine.cancel(job_id, "op")
        setup.engine.cancel(job_id, "op")
        job = setup.wait(job_id)
        assert job.state == state
        assert job.cancel_requested
        assert (job.error or "").startswith("cancelled by the operator")
        assert job.step("b").state == StepState.SKIPPED
        assert len({"queued", "queued2"} & set(setup.log)) == 1
        with pytest.raises(Conflict, match="cannot be cancelled"):
            setup.engine.cancel(job_id, "op")
        assert [line.message for line in job.journal].count("cancel requested") == 1


def test_a_cancelled_job_can_go_on(setup: JobSetup, gate: threading.Event, until: Until) -> None:
    steps = [
        setup.step("a", run=lambda ctx: gate.wait(20)),
        setup.step("b", "a", run=lambda ctx: ctx.cancelled()),
    ]
    job_id = setup.start(steps, "pause")
    until(lambda: setup.log == ["a"])
    setup.engine.cancel(job_id, "op")
    gate.set()
    job = setup.wait(job_id)
    assert job.state == JobState.PAUSED
    assert _states(job) == {"a": "done", "b": "skipped"}
    setup.engine.resume(job_id, "op")
    job = setup.wait(job_id)
    assert job.state == JobState.DONE
    assert not job.cancel_requested
    assert setup.log == ["a", "b"]
    assert setup.engine._records.result(job_id, "b") is False  # the new run was not cancelled


def test_a_cancel_that_comes_too_late_changes_nothing(
    setup: JobSetup, gate: threading.Event, until: Until
) -> None:
    job_id = setup.start([setup.step("last", run=lambda ctx: gate.wait(20))])
    until(lambda: setup.log == ["last"])
    setup.engine.cancel(job_id, "op")
    gate.set()
    job = setup.wait(job_id)
    assert (job.state, job.error) == (JobState.DONE, None)


def test_undo_while_running_needs_a_cancel_first(
    setup: JobSetup, gate: threading.Event, until: Until
) -> None:
    job_id = setup.start([setup.step("a", run=lambda ctx: gate.wait(20)), setup.step("b", "a")], "pause")
    until(lambda: setup.log == ["a"])
    with pytest.raises(Conflict, match="cancel it before"):
        setup.engine.undo(job_id, "op")
    setup.engine.cancel(job_id, "op")
    setup.engine.undo(job_id, "op")
    gate.set()
    job = setup.wait(job_id)
    assert job.state == JobState.UNDONE
    assert setup.log == ["a", "-a"]
    assert [told[1] for told in setup.told] == [JobState.UNDONE]


def test_undo_is_not_stopped_by_the_cancel_that_caused_it(
    setup: JobSetup, gate: threading.Event, until: Until
) -> None:
    seen: list[bool] = []
    step = setup.step(
        "a", run=lambda ctx: gate.wait(20), undo=lambda ctx, result: seen.append(ctx.cancelled())
    )
    job_id = setup.start([step, setup.step("b", "a")])
    until(lambda: setup.log == ["a"])
    setup.engine.cancel(job_id, "op")
    gate.set()
    assert setup.wait(job_id).state == JobState.UNDONE
    assert seen == [False]


def test_undo_policy_begins_nothing_new_after_a_failure(
    setup: JobSetup, gate: threading.Event, until: Until
) -> None:
    others_run = threading.Event()

    def fail_late(ctx: StepContext) -> None:
        others_run.wait(20)
        _fail(ctx)

    steps = [
        setup.step("bad", run=fail_late),
        setup.step("running", run=lambda ctx: gate.wait(20)),
        setup.step("queued1", run=lambda ctx: gate.wait(20), limit="one"),
        setup.step("queued2", run=lambda ctx: gate.wait(20), limit="one"),
    ]
    job_id = setup.start(steps)
    until(lambda: {"bad", "running"} <= set(setup.log) and bool({"queued1", "queued2"} & set(setup.log)))
    others_run.set()
    until(lambda: setup.engine.get(job_id).step("bad").state == StepState.FAILED)
    gate.set()
    job = setup.wait(job_id)
    assert job.state == JobState.UNDONE
    assert len({"queued1", "queued2"} & set(setup.log)) == 1
    assert sorted(_states(job).values()) == ["skipped", "undone", "undone", "undone"]


def test_a_plan_that_cannot_be_rebuilt_pauses_the_job(
    setup: JobSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = setup.run([setup.step("a"), setup.step("b", "a", run=_fail)], "pause")
    (plan,) = [plan for plan, steps in setup.plans.items() if len(steps) == 2 and steps[1].name == "b"][-1:]
    kept = setup.plans[plan]
    for other in ([setup.step("a")], []):
        setup.plans[plan] = other
        setup.engine.resume(job.id, "op")
        job = setup.wait(job.id)
        assert job.state == JobState.PAUSED
        assert "other steps than" in (job.error or "")
    setup.plans[plan] = []
    setup.engine.undo(job.id, "op")
    job = setup.wait(job.id)
    assert job.state == JobState.UNDO_FAILED
    setup.plans[plan] = kept
    setup.engine.undo(job.id, "op")
    assert setup.wait(job.id).state == JobState.UNDONE
    assert setup.log == ["a", "b", "-b", "-a"]
