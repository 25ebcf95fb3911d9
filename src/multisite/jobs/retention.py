"""What is kept how long: jobs with their steps and journal, and the audit trail, each by its own age.

Removed are jobs that are done or undone and that nothing names any more; those an operator has to resume or undo stay.
That records of either are removed is itself recorded in the audit trail, before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from multisite.domain import fence
from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent
from multisite.jobs import dbos_calls
from multisite.store import retention as rows
from multisite.store.database import Database
from multisite.store.retention import JobCounts, Marker
from multisite.store.trail import AuditTrail
from multisite.store.types import now

LOG = logging.getLogger(__name__)

JOBS_AT_ONCE = 10
RECORDS_AT_ONCE = 500
"""Removed in one transaction, for which others wait on SQLite."""
PAUSE = 0.02
"""Seconds between two transactions, in which others have their turn."""


@dataclass(frozen=True)
class Policy:
    """Days after its end at which a job is removed, and the age in days at which a record of the audit trail is."""

    jobs: int
    audit: int


@dataclass(frozen=True)
class Kept:
    """What there is, and what is beyond its age; ``audit``: records, and the old ones of them."""

    jobs: JobCounts
    audit: tuple[int, int]

    def lines(self) -> list[str]:
        """For operators."""
        jobs, (records, old) = self.jobs, self.audit
        return [
            f"jobs: {jobs.all}; beyond their age {jobs.old}, of them {jobs.removable} to be removed, "
            f"{jobs.unfinished} to be resumed or undone first, {jobs.named} named by what they made",
            f"audit trail: {records} records; beyond their age {old}, to be removed",
        ]


class Retention:
    """A periodic task: ``run``."""

    def __init__(self, database: Database, trail: AuditTrail, policy: Policy) -> None:
        self._database, self._trail, self._policy = database, trail, policy

    def run(self) -> tuple[int, int]:
        """Remove what is too old; returns how many jobs and how many records of the audit trail."""
        kept = self.kept()
        jobs = self._remove("/jobs", self._policy.jobs, self._jobs) if kept.jobs.removable else 0
        audit = self._remove("/audit", self._policy.audit, self._audit) if kept.audit[1] else 0
        if jobs or audit:
            LOG.info("removed by age: %d jobs, %d records of the audit trail", jobs, audit)
        return jobs, audit

    def kept(self) -> Kept:
        """What there is, and what the next run removes."""
        with self._database.session(read_only=True) as session:
            return Kept(
                rows.count_jobs(session, _before(self._policy.jobs), rows.kept_by_planes(session)),
                rows.count_audit(session, _before(self._policy.audit)),
            )

    def _jobs(self, before: datetime) -> Iterator[int]:
        with self._database.session(read_only=True) as session:
            keep = rows.kept_by_planes(session)
        marker: Marker | None = None
        more = True
        while more:
            with self._database.session() as session:
                found = rows.remove_jobs(session, before, marker, JOBS_AT_ONCE, keep)
                dbos_calls.remove(session, found.runs)
            yield len(found.runs)
            marker, more = found.marker, found.marker is not None

    def _audit(self, before: datetime) -> Iterator[int]:
        count = RECORDS_AT_ONCE
        while count == RECORDS_AT_ONCE:
            with self._database.session() as session:
                count = rows.remove_audit(session, before, RECORDS_AT_ONCE)
            yield count

    def _remove(self, path: str, days: int, batches: Callable[[datetime], Iterator[int]]) -> int:
        before = _before(days)
        action = f"those from before {before.isoformat()}"
        intent = Intent(AuditKind.SERVICE, "multisite", "DELETE", path, action=action)
        self._trail.begin(intent)
        begun, removed = time.monotonic(), 0
        fence.check()
        for count in batches(before):
            removed += count
            time.sleep(PAUSE)
            fence.check()
        seconds = time.monotonic() - begun
        self._trail.finish(Ending(intent.key, AuditOutcome.DONE, seconds=seconds))
        return removed


def _before(days: int) -> datetime:
    return now() - timedelta(days=days)
