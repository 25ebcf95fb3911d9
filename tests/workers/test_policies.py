"""Policies on PostgreSQL; the same is asked on SQLite in tests/unit/recovery/policies."""

from __future__ import annotations

from multisite_lab import postgres
from tests.unit.recovery.policies.scheduler_checks import check_two_workers


def test_two_workers(empty: postgres.Postgres) -> None:
    check_two_workers(empty.url)
