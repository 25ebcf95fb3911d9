"""What is kept how long: jobs with their steps and journal, and the audit trail, each by its own age.

Removed are jobs that are done or undone and that nothing names any more; those an operator has to resume or undo stay.
That records of either are removed is itself recorded in the audit trail, before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

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
    """The age, after its end, at which a job is removed, and that of a record of the audit trail."""

    jobs: timedelta
    audit: timedelta

    @classmethod
    def of_days(cls, jobs: int, audit: int) -> Policy:
        return cls(timedelta(days=jobs), timedelta(days=audit))


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
        present = now()
        jobs, audit = self._jobs(present - self._policy.jobs), self._audit(present - self._policy.audit)
        if jobs or audit:
            LOG.info("removed by age: %d jobs, %d records of the audit trail", jobs, audit)
        return jobs, audit

    def kept(self) -> Kept:
        """What there is, and what the next run removes."""
        present = now()
        with self._database.session(read_only=True) as session:
            return Kept(
                rows.count_jobs(session, present - self._policy.jobs, rows.kept_by_planes(session)),
                rows.count_audit(session, present - self._policy.audit),
            )

    def _jobs(self, before: datetime) -> int:
        with self._database.session(read_only=True) as session:
            keep = rows.kept_by_planes(session)
            if not rows.count_jobs(session, before, keep).removable:
                return 0
        marker: Marker | None = None

        def batch(session: Session) -> tuple[int, bool]:
            nonlocal marker
            found = rows.remove_jobs(session, before, marker, JOBS_AT_ONCE, keep)
            dbos_calls.remove(
                session, [workflow for id, run in found.runs.items() for workflow in _runs(id, run)]
            )
            marker = found.marker
            return len(found.runs), marker is not None

        return self._remove("/jobs", before, batch)

    def _audit(self, before: datetime) -> int:
        with self._database.session(read_only=True) as session:
            if not rows.count_audit(session, before)[1]:
                return 0

        def batch(session: Session) -> tuple[int, bool]:
            count = rows.remove_audit(session, before, RECORDS_AT_ONCE)
            return count, count == RECORDS_AT_ONCE

        return self._remove("/audit", before, batch)

    def _remove(self, path: str, before: datetime, batch: Callable[[Session], tuple[int, bool]]) -> int:
        """Batch by batch; each tells how many it removed and whether there may be more."""
        intent = Intent(
            AuditKind.SERVICE, "multisite", "DELETE", path, action=f"those from before {before.isoformat()}"
        )
        self._trail.begin(intent)
        begun, removed, more = time.monotonic(), 0, True
        while more:
            fence.check()
            with self._database.session() as session:
                count, more = batch(session)
            removed += count
            time.sleep(PAUSE)
        seconds = time.monotonic() - begun
        self._trail.finish(Ending(intent.key, AuditOutcome.DONE, seconds=seconds))
        return removed


def _runs(job_id: str, last: int) -> list[str]:
    return [dbos_calls.workflow_id(job_id, run) for run in range(1, last + 1)]
