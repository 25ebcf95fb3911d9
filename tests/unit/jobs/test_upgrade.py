"""A database of the release before this one, left by a process that died at work, is taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Step, StepContext
from multisite.store.database import Database

DUMP = Path(__file__).parent / "data" / "old_database.sql"


@dataclass(frozen=True)
class Network:
    id: str
    mtu: int = 1500


def test_paused_running_and_queued_jobs_go_on(tmp_path: Path) -> None:
    path = tmp_path / "multisite.db"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP.read_text())
    connection.close()
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    ran: list[tuple[str, str, int, bool]] = []

    def steps(params: Mapping[str, Any]) -> list[Step]:
        def run(ctx: StepContext) -> Network:
            if ctx.step == "b":
                assert ctx.result_of("a", Network) == Network("n1")
            ran.append((titles[ctx.job_id], ctx.step, ctx.attempt, ctx.interrupted))
            return Network("n1")

        return [Step("a", "Make a", run), Step("b", "Make b", run, needs=("a",))]

    engine = JobEngine(database)
    titles = {job.id: job.title for job in engine.list()}
    by_title = {title: id for id, title in titles.items()}
    engine.register(JobKind("old", steps, "pause"))
    engine.launch()
    try:
        assert engine.wait(by_title["running"], 30).state is JobState.DONE
        assert engine.wait(by_title["queued"], 30).state is JobState.DONE
        assert engine.get(by_title["paused"]).state is JobState.PAUSED
        engine.resume(by_title["paused"], "bob")
        assert engine.wait(by_title["paused"], 30).state is JobState.DONE
    finally:
        engine.shutdown()
    done = [
        ("paused", "b", 2, False),
        ("queued", "a", 1, False),
        ("queued", "b", 1, False),
        ("running", "b", 2, True),
    ]
    assert sorted(ran) == done
