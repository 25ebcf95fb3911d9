"""Retention on PostgreSQL; the same is asked on SQLite in tests/unit/jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multisite.store.database import Database
from multisite_lab import postgres
from tests.unit.jobs.retention_checks import check_audit, check_jobs


@pytest.fixture
def database(empty: postgres.Postgres) -> Iterator[Database]:
    made = Database(empty.url)
    made.upgrade()
    yield made
    made.close()


def test_jobs_are_removed_by_age_with_all_that_is_of_them(database: Database) -> None:
    check_jobs(database)


def test_the_audit_trail_has_its_own_age(database: Database) -> None:
    check_audit(database)
