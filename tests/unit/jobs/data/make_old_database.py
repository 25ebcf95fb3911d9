"""Made ``old_database.sql``: a database of the release before DBOS's tables were in it (commit 05065d0).

    PYTHONPATH=<that tree>/src python make_old_database.py > old_database.sql

A process that has one job paused, one running (its step "b" has begun), and one queued behind it dies.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, Step, StepContext, StepFailed
from multisite.store.database import Database


def _steps(params: Mapping[str, Any]) -> list[Step]:
    def second(ctx: StepContext) -> None:
        if params["then"] == "fail":
            raise StepFailed("no room at site a: free some")
        time.sleep(60)

    return [
        Step("a", "Make a", lambda ctx: {"id": "n1"}),
        Step("b", "Make b", second, needs=("a",)),
    ]


def _die_at_work(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    engine = JobEngine(database)
    engine.register(JobKind("old", _steps, "pause"))
    engine.launch()
    said = {"project_id": "p", "requested_by": "alice", "subject": "net-1"}
    paused = engine.start("old", {"then": "fail"}, title="paused", **said)
    assert engine.wait(paused, 30).settled
    running = engine.start("old", {"then": "wait"}, title="running", **said)
    while engine.get(running).step("b").state != "running":
        time.sleep(0.05)
    engine._begin = lambda *_: None  # type: ignore[attr-defined]  # accepted, and dead before it is started
    engine.start("old", {"then": "wait"}, title="queued", **said)
    os._exit(0)


def main() -> int:
    path = Path(tempfile.mkdtemp()) / "multisite.db"
    child = os.fork()
    if child == 0:
        _die_at_work(path)
    os.waitpid(child, 0)
    connection = sqlite3.connect(path)
    sys.stdout.write("\n".join(connection.iterdump()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
