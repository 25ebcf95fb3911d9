"""A database of the release before this one, left by a process that died at work, is taken over."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from multisite.jobs.engine import JobEngine
from multisite.store.database import Database
from tests.unit.jobs.old_jobs import DATA, check_they_go_on


def test_paused_running_and_queued_jobs_go_on(tmp_path: Path) -> None:
    path = tmp_path / "multisite.db"
    connection = sqlite3.connect(path)
    connection.executescript((DATA / "old_database.sql").read_text())
    connection.close()
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    check_they_go_on(JobEngine(database))
