"""A database without space or read-only, a clock that jumps: jobs wait or go on, nothing is lost or done twice."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workers.conftest import Fleet, problems, until

from multisite.domain.errors import MultisiteError
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Step, StepContext
from multisite.store.database import Database
from multisite.store.failures import is_transient

SMALL = 4 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_sqlite_without_space(small: Path) -> None:
    database = Database(f"sqlite:///{small}/multisite.db")
    database.upgrade()
    engine = JobEngine(database)
    ran: list[tuple[str, int, bool]] = []
    full, go = threading.Event(), threading.Event()

    def step(number: int) -> Step:
        def run(ctx: StepContext) -> str:
            ran.append((ctx.step, ctx.attempt, ctx.interrupted))
            if number == 2:
                full.set()
                go.wait(20)
            return "x" * 20_000  # more than the pages that are free within the file

        return Step(f"s{number}", "a step", run, needs=(f"s{number - 1}",) if number else ())

    engine.register(JobKind("test", lambda params: [step(n) for n in range(5)], "undo"))
    engine.launch()
    try:
        job_id = engine.start("test", {}, title="t", project_id="p", requested_by="me")
        assert full.wait(20)
        _fill(small / "ballast")
        go.set()
        with pytest.raises(Exception, match="full") as refused:
            _start_many(engine)
        assert is_transient(refused.value)
        time.sleep(3)
        accepted = len(engine.list())
        (small / "ballast").unlink()
        job = engine.wait(job_id, 30)
        assert job.state == JobState.DONE
        until(lambda: all(job.settled for job in engine.list()), 60, "all that was accepted")
        assert {job.state for job in engine.list()} == {JobState.DONE}
        assert len(engine.list()) == accepted
        assert len(ran) == 5 * accepted
        assert {entry[1:] for entry in ran} == {(1, False)}  # nothing began twice
    finally:
        engine.shutdown()
        database.close()


def test_sqlite_that_cannot_be_written_is_named(small: Path) -> None:
    database = Database(f"sqlite:///{small}/multisite.db")
    database.upgrade()
    database.close()
    # A release that has to change the schema meets a file system that is read-only by now.
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    with pytest.raises(MultisiteError, match=r"small/multisite\.db.*readonly|unable to open|read-only"):
        Database(f"sqlite:///{small}/multisite.db").upgrade()


def test_a_server_that_is_read_only_for_longer_than_a_lease(fleet: Fleet) -> None:
    jobs = [fleet.start(steps=8, width=2, seconds=0.4) for _ in range(6)]
    until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
    _read_only(fleet, "on")
    time.sleep(0.5)
    with pytest.raises(Exception, match="read-only") as refused:
        fleet.start(steps=1, seconds=0)
    assert is_transient(refused.value)
    time.sleep(8)
    before = sum(e["do"] == "made" for e in fleet.journal.lines())
    time.sleep(2)
    assert sum(e["do"] == "made" for e in fleet.journal.lines()) == before  # in doubt nobody acts
    _read_only(fleet, "off")
    _well(fleet, jobs)


def test_a_clock_that_jumps_an_hour(fleet: Fleet, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    fleet.kill(sorted(fleet.nodes)[0])
    fleet.add(f"--clock={clock}")
    jobs = [fleet.start(steps=16, width=2, seconds=0.6) for _ in range(6)]
    until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
    for jump in ("3600", "-3600"):
        time.sleep(2)
        clock.write_text(jump)
    _well(fleet, jobs)
    started = [step.started_at for job in jobs for step in fleet.engine.get(job).steps if step.started_at]
    assert (max(started) - min(started)).total_seconds() > 3600  # the clock did jump


def _well(fleet: Fleet, jobs: list[str]) -> None:
    assert {fleet.wait(job).state for job in jobs} == {JobState.DONE}
    assert problems(fleet.journal) == []
    assert {len(fleet.claims(job)) for job in jobs} == {1}  # nobody was taken for dead
    begun: list[dict[str, Any]] = [e for e in fleet.journal.lines() if e["do"] == "begin"]
    assert len(begun) == sum(len(fleet.engine.get(job).steps) for job in jobs)


def _read_only(fleet: Fleet, value: str) -> None:
    fleet.server.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    fleet.server.sql("SELECT pg_reload_conf()")


def _start_many(engine: JobEngine) -> None:
    """Some may still fit into free pages of the file."""
    for _ in range(200):
        engine.start("test", {"text": "x" * 50_000}, title="t", project_id="p", requested_by="me")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            os.fsync(file.fileno())
