"""A database that comes and goes: whatever was committed, nothing is done twice and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from jobs.conftest import JobSetup
from multisite.jobs.model import JobState, StepContext, StepFailed
from multisite.jobs.records import Abandoned, Records
from multisite.jobs.retry import retry_until_database_available
from multisite.store.failures import is_transient

CALLS = ("claim", "begin", "begin_undo", "end", "conclude", "conclude_undo", "settle", "result")


def away() -> OperationalError:
    return OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))


@pytest.mark.parametrize("committed", [True, False])
def test_every_call_fails_once(setup: JobSetup, monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    """``committed``: only the answer was lost."""
    failed: Counter[Any] = Counter()

    def shaky(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def once(self: Records, *args: Any, **kwargs: Any) -> Any:
            key = (
                name,
                *(str(a) for a in args[1:] if isinstance(a, str)),
                getattr(args[0], "job_id", args[0]),
            )
            failed[key] += 1
            if failed[key] == 1:
                if committed:
                    call(self, *args, **kwargs)
                raise away()
            return call(self, *args, **kwargs)

        return once

    for name in CALLS:
        monkeypatch.setattr(Records, name, shaky(name, getattr(Records, name)))
    seen: list[tuple[int, bool, Any]] = []

    def look(ctx: StepContext) -> None:
        seen.append((ctx.attempt, ctx.interrupted, ctx.result_of("a", dict)))
        raise StepFailed("as it should")

    job = setup.run([setup.step("a"), setup.step("b", "a", run=look), setup.step("c", "b")])
    assert job.state == JobState.UNDONE
    assert seen == [(1, False, {"made": "a"})]
    assert setup.log == ["a", "b", "-b", "-a"]
    assert [step.attempt for step in job.steps] == [1, 1, 0]
    assert len(failed) > 10
    assert [line.message for line in job.journal].count("undone: make b: as it should") == 1


def test_a_step_that_meets_the_trouble_itself_runs_again(setup: JobSetup) -> None:
    seen: list[bool] = []

    def shaky(ctx: StepContext) -> None:
        seen.append(ctx.interrupted)
        if len(seen) == 1:
            raise away()

    assert setup.run([setup.step("a", run=shaky)]).state == JobState.DONE
    assert seen == [False, True]


def test_retrying_ends_when_it_is_not_wanted_any_more() -> None:
    def gone() -> None:
        raise Abandoned

    def call() -> None:
        raise away()

    with pytest.raises(Abandoned):
        retry_until_database_available(gone, call)
    with pytest.raises(ZeroDivisionError):
        retry_until_database_available(gone, lambda: 1 / 0)


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ("database or disk is full", True),
        ("attempt to write a readonly database", True),
        ("no such table: job", False),
        ("near SELECT: syntax error", False),
    ],
)
def test_what_passes(words: str, passes: bool) -> None:
    assert is_transient(OperationalError("x", {}, sqlite3.OperationalError(words))) is passes
    assert not is_transient(IntegrityError("x", {}, sqlite3.IntegrityError("UNIQUE constraint failed")))
    assert not is_transient(ValueError(words))
