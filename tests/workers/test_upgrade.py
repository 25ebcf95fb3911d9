"""A database of the release before this one, left by a worker that died at work, is taken over."""

from __future__ import annotations

from multisite.jobs.engine import JobEngine
from multisite.jobs.executor import Sharing
from multisite.store.database import Database
from multisite_lab.postgres import Postgres
from tests.unit.jobs.old_jobs import DATA, check_they_go_on


def test_paused_running_and_queued_jobs_go_on(empty: Postgres) -> None:
    empty.sql((DATA / "old_shared_database.sql").read_text())
    database = Database(empty.url)
    database.upgrade()
    engine = JobEngine(database, Sharing("new"))
    try:
        check_they_go_on(engine)
        assert empty.sql("SELECT count(*) FROM worker WHERE id LIKE 'old-%'") == "0"
    finally:
        database.close()
