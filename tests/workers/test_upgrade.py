"""A database of the release before this one, left by a worker that died at work, is taken over."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Conflict
from multisite.jobs.engine import JobEngine
from multisite.jobs.executor import Sharing
from multisite.store.database import Database
from multisite_lab.postgres import Postgres
from tests.unit.jobs.old_jobs import DATA, check_they_go_on
from tests.unit.store import plain_names


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


def test_a_release_does_not_upgrade_under_a_living_worker_of_another_one(empty: Postgres) -> None:
    empty.sql((DATA / "old_shared_database.sql").read_text())
    empty.sql("UPDATE worker SET expires_at = now() + interval '1 hour'")
    database = Database(empty.url)
    try:
        with pytest.raises(
            Conflict, match=r"needs \d+, and workers of another release .*\(old-\w+\): stop all"
        ):
            database.upgrade()
        assert database.version() == "0007", "nothing was changed"
        empty.sql("UPDATE worker SET expires_at = now()")
        database.upgrade()
        assert database.version() != "0007"
        empty.sql("UPDATE worker SET expires_at = now() + interval '1 hour'")
        database.upgrade()  # of the same release: one of several that start
    finally:
        database.close()


def test_what_was_stored_under_other_names_is_found_under_those_of_today(empty: Postgres) -> None:
    database = Database(empty.url)
    try:
        database.upgrade(plain_names.BEFORE)
        plain_names.fill(database)
        database.upgrade()
        plain_names.check(database)
    finally:
        database.close()
