"""Who asked and for which step: known wherever a step's work leads, in its log lines too."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from jobs.conftest import JobSetup
from multisite.command.log import WorkContextFilter
from multisite.domain import work
from multisite.domain.fence import FencedThreads
from multisite.domain.work import Work
from multisite.jobs.model import Step, StepContext, StepFailed


def test_steps_work_for_who_asked(setup: JobSetup) -> None:
    seen: dict[str, Work] = {}

    def run(ctx: StepContext) -> Any:
        with FencedThreads(1) as pool:
            seen["pool"] = pool.submit(work.current).result()
        seen["run"] = work.current()
        raise StepFailed("no")

    def undo(ctx: StepContext, result: Any) -> None:
        seen["undo"] = work.current()

    job = setup.run([Step("a", "make a", run, undo)], request_id="req-9", subject="app")
    whose = Work("tester", "p1", "req-9", job.id, "app", "a", 1)
    assert seen == {"run": whose, "pool": whose, "undo": replace(whose, undoing=True)}


def test_who_resumes_is_who_asks_from_then_on(setup: JobSetup) -> None:
    users: list[tuple[str, int | None]] = []

    def run(ctx: StepContext) -> Any:
        users.append((work.current().user, work.current().attempt))
        if len(users) == 1:
            raise StepFailed("once")

    job = setup.run([Step("a", "make a", run)], "pause")
    setup.engine.resume(job.id, "petra")
    setup.wait(job.id)
    assert users == [("tester", 1), ("petra", 2)]


def test_every_line_of_a_steps_work_tells_job_step_and_request(
    setup: JobSetup, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(WorkContextFilter())

    def run(ctx: StepContext) -> Any:
        logging.getLogger("some.library").info("deep inside")
        ctx.event("made")
        raise ValueError("ours")

    job = setup.run([Step("a", "make a", run)], request_id="req-9")
    lines = [r for r in caplog.records if r.created >= job.created_at.timestamp() - 0.01]
    words = ("deep inside", ": made", "raised", "make a: failed")
    own = [r for r in lines if any(w in r.getMessage() for w in words)]
    assert len(own) == len(words)
    for record in own:
        told = (record.job, record.step, record.request_id)  # type: ignore[attr-defined]
        assert told == (job.id, "a", "req-9")
    ended = next(r for r in lines if "undone" in r.getMessage())
    assert (ended.job, ended.request_id) == (job.id, "req-9")  # type: ignore[attr-defined]
