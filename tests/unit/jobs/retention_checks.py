"""What is asked of retention on every database: here on SQLite, in tests/workers on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent
from multisite.jobs import dbos_calls
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, Step
from multisite.jobs.retention import Policy, Retention
from multisite.store.audit import AuditRepository
from multisite.store.database import Database
from multisite.store.models import AuditEndRow, AuditRow, JobRow, JournalRow, StepRow
from multisite.store.retention import names_of_jobs
from multisite.store.trail import AuditTrail
from multisite.store.types import UtcDateTime, now

POLICY = Policy(90, 365)


class Jobs:
    """Makes jobs as the engine accepts them, and puts them into the state a test wants."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._engine = JobEngine(database)
        self._engine.register(JobKind("test", lambda _: [Step(n, n, lambda _: None) for n in "ab"], "pause"))

    def make(self, days: float, state: str = "done", *, settled: bool = True) -> str:
        """Ended so many days ago, after two runs."""
        id = self._engine.start("test", {}, title="test", project_id="p", requested_by="olga")
        with self.database.session() as session:
            row = session.get_one(JobRow, id)
            row.state, row.settled, row.run = state, settled, 2
            row.created_at = row.ended_at = now() - timedelta(days=days)
            dbos_calls.Queue(self.database).put(session, id, 2)
        return id

    def ids(self) -> set[str]:
        with self.database.session(read_only=True) as session:
            return set(session.scalars(select(JobRow.id)))

    def kept_of(self, id: str) -> tuple[int, int, int]:
        """Rows of its steps, its journal, and its runs at DBOS."""
        with self.database.session(read_only=True) as session:
            runs = [dbos_calls.workflow_id(id, run) for run in (1, 2)]
            steps, lines = (
                session.scalar(select(func.count()).select_from(row).where(row.job_id == id)) or 0
                for row in (StepRow, JournalRow)
            )
            return steps, lines, len(dbos_calls.states(session, runs))


def retention(database: Database, policy: Policy = POLICY) -> tuple[Retention, AuditTrail]:
    trail = AuditTrail(database)
    return Retention(database, trail, policy), trail


def add_row(database: Database, table: Table, **given: Any) -> dict[str, Any]:
    """One of any table, with whatever it refers to."""
    values = {column.name: _value(column) for column in table.columns if not column.nullable} | given
    for column in table.columns:
        for key in column.foreign_keys:
            values[column.name] = add_row(database, key.column.table)[key.column.name]
    with database.session() as session:
        session.execute(insert(table).values(values))
    return values


def _value(column: Column[Any]) -> Any:
    if isinstance(column.type, UtcDateTime):
        return now()
    kind = list if isinstance(column.type, JSON) else column.type.python_type
    return f"{column.name}-{id(column)}-{now().timestamp()}" if kind is str else kind()


def check_jobs(database: Database) -> None:
    """Old jobs at their end go with all that is of them; whatever is unfinished or named stays whole."""
    jobs = Jobs(database)
    old = [jobs.make(91, state) for state in ("done", "undone")]
    young = jobs.make(89)
    unfinished = [jobs.make(1000, state) for state in ("paused", "undo_failed")]
    unsettled = [jobs.make(1000, state, settled=False) for state in ("running", "undoing", "done")]
    named = []
    for column in names_of_jobs():
        named.append(jobs.make(1000))
        add_row(database, column.table, **{column.name: named[-1]})  # type: ignore[arg-type]
    left = jobs.make(1000)
    plane = next(c.table for c in names_of_jobs() if c.table.name == "application_plane")
    add_row(database, plane, left=[{"site": "paris", "job_id": left, "router": False, "made": None}])  # type: ignore[arg-type]
    whole = jobs.kept_of(young)
    assert whole == (2, 1, 2)

    task, trail = retention(database)
    kept = task.kept().jobs
    assert (kept.unfinished, kept.named) == (2, len(named) + 1)
    assert task.run() == (2, 0)
    trail.close()

    expected = {young, left, *unfinished, *unsettled, *named}
    assert jobs.ids() == expected
    assert {jobs.kept_of(id) for id in expected} == {whole}
    assert {jobs.kept_of(id) for id in old} == {(0, 0, 0)}
    record = AuditRepository(database).list()[0]
    assert (record.kind, record.method, record.path) == (AuditKind.SERVICE, "DELETE", "/jobs")
    assert record.outcome is AuditOutcome.DONE
    assert task.run() == (0, 0), "nothing is left to do"
    assert len(AuditRepository(database).list()) == 1, "and nothing is recorded of it"


def check_audit(database: Database) -> None:
    """Old records go with their endings; the database itself lets no younger one go."""
    rows = AuditRepository(database)
    for days in (400, 366, 364, 20):
        one = Intent(AuditKind.CLOUD, "olga", "POST", f"/{days}", at=now() - timedelta(days=days))
        rows.add([one], [Ending(one.key, AuditOutcome.DONE)])
    task, trail = retention(database)
    assert task.kept().audit == (4, 2)
    assert task.run() == (0, 2)
    trail.close()
    assert [record.path for record in rows.list()] == ["/audit", "/20", "/364"]
    with database.session(read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(AuditEndRow)) == 3
    too_short, _ = retention(database, Policy(90, 10))
    with pytest.raises(DBAPIError, match="append-only"):
        too_short.run()
    for change in (
        "DELETE FROM audit_end",
        "DELETE FROM audit",
        "UPDATE audit SET path = ''",
        "UPDATE audit_end SET outcome = ''",
    ):
        with pytest.raises(DBAPIError, match="append-only"), database.session() as session:
            session.execute(text(change))
    with database.session(read_only=True) as session:
        paths = session.scalars(select(AuditRow.path).where(AuditRow.kind == AuditKind.CLOUD)).all()
    assert list(paths) == ["/364", "/20"]
