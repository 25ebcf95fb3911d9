"""Made ``old_database.sql`` and ``old_shared_database.sql``: the release before DBOS's tables were in a database.

    PYTHONPATH=<tree of commit 05065d0>/src python make_old_database.py sqlite > old_database.sql
    PYTHONPATH=<tree>/src:<tree>/lab/src python make_old_database.py postgresql > old_shared_database.sql

A process that has one job paused, one running (its step "b" has begun), and one queued behind it dies.  On
PostgreSQL it is a worker, with its lease in the database.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
import traceback
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


def _engine(database: Database) -> JobEngine:
    if database.is_sqlite:
        return JobEngine(database)
    from multisite.jobs.shared import Sharing  # of that tree only

    return JobEngine(database, Sharing("old", jobs=1))


def _die_at_work(url: str) -> None:
    database = Database(url)
    database.upgrade()
    engine = _engine(database)
    engine.register(JobKind("old", _steps, "pause"))
    engine.launch()
    said = {"project_id": "p", "requested_by": "alice", "subject": "net-1"}
    paused = engine.start("old", {"then": "fail"}, title="paused", **said)
    assert engine.wait(paused, 30).settled
    running = engine.start("old", {"then": "wait"}, title="running", **said)
    while engine.get(running).step("b").state != "running":
        time.sleep(0.05)
    if database.is_sqlite:
        engine._begin = lambda *_: None  # type: ignore[attr-defined]  # accepted, and dead before it is started
    engine.start("old", {"then": "wait"}, title="queued", **said)
    os._exit(0)


def _die_in_a_child(url: str) -> None:
    child = os.fork()
    if child == 0:
        try:
            _die_at_work(url)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the process that was to die at work failed before: see above"


def _sqlite() -> str:
    path = Path(tempfile.mkdtemp()) / "multisite.db"
    _die_in_a_child(f"sqlite:///{path}")
    return "\n".join(sqlite3.connect(path).iterdump())


def _postgresql() -> str:
    from multisite_lab import postgres

    with postgres.running() as server:
        _die_in_a_child(server.url)
        dump = server._run("pg_dump", "--inserts", "--no-owner", *server._where("multisite"))
    plain = (line for line in dump.splitlines() if not line.startswith(("--", "\\", "SET ")))
    return "\n".join(line for line in plain if line and "set_config('search_path'" not in line)


if __name__ == "__main__":
    sys.stdout.write({"sqlite": _sqlite, "postgresql": _postgresql}[sys.argv[1]]() + "\n")
