"""What is old goes, in small transactions and linear time; what somebody may still need stays."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from multisite.command import manage
from multisite.jobs import retention as tasks
from multisite.store import retention as rows
from multisite.store.database import Database
from multisite.store.types import now
from tests.unit.jobs.retention_checks import POLICY, Jobs, add_row, check_audit, check_jobs, retention


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PAUSE", 0)


def test_jobs_are_removed_by_age_with_all_that_is_of_them(database: Database) -> None:
    check_jobs(database)


def test_the_audit_trail_has_its_own_age(database: Database) -> None:
    check_audit(database)


def test_a_job_that_is_named_would_go_if_nobody_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without the names, or with one table's left out, the checks above fail."""
    names = rows.names_of_jobs()
    monkeypatch.setattr(rows, "names_of_jobs", lambda: names[1:])
    jobs = Jobs(database)
    job = jobs.make(1000)
    add_row(database, names[0].table, **{names[0].name: job})  # type: ignore[arg-type]
    retention(database)[0].run()
    assert jobs.ids() == set()


def test_operators_are_told_what_is_kept(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = Jobs(database)
    for days, state in ((91, "done"), (91, "paused"), (89, "done")):
        jobs.make(days, state)
    conf = tmp_path / "multisite.conf"
    conf.write_text(f"[database]\nconnection = {database.url}\n[retention]\njob_days = 90\n")
    assert manage.main(["retention", "--config-file", str(conf)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("jobs: 3; beyond their age 2, of them 1 to be removed, 1 to be resumed or undone")
    assert second.startswith("audit trail: 0 records")


def work(database: Database, count: int) -> int:
    """Statements to remove ``count`` jobs of twice as many."""
    jobs = Jobs(database)
    table = next(c.table for c in rows.names_of_jobs() if c.table.name == "restore_point")
    for n in range(2 * count):
        id = jobs.make(100)
        if n % 2:
            add_row(database, table, job_id=id)  # type: ignore[arg-type]
    statements = 0

    def count_one(*_: Any) -> None:
        nonlocal statements
        statements += 1

    task, trail = retention(database)
    event.listen(database.engine, "before_cursor_execute", count_one)
    assert task.run() == (count, 0)
    event.remove(database.engine, "before_cursor_execute", count_one)
    trail.close()
    return statements


def test_the_work_is_linear(database: Database, tmp_path: Path) -> None:
    """Twice as many jobs are twice the statements."""
    other = Database(f"sqlite:///{tmp_path}/other.db")
    other.upgrade()
    single, double = work(database, 50), work(other, 100)
    other.close()
    assert single < double <= 2.1 * single


def searches(database: Database) -> list[str]:
    """How SQLite finds the rows of one batch: by whole tables, by all settled jobs, by an index it makes itself."""
    said: list[str] = []
    reader = sqlite3.connect(str(database.path), check_same_thread=False)

    def explain(_c: Any, _cursor: Any, words: str, values: Any, *_: Any) -> None:
        if words.startswith(("SELECT", "DELETE")):
            said.extend(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {words}", values))

    event.listen(database.engine, "before_cursor_execute", explain)
    with database.session() as session:
        rows.remove_jobs(session, now() - timedelta(POLICY.jobs), None, 10, ())
        rows.remove_audit(session, now() - timedelta(POLICY.audit), 10)
    event.remove(database.engine, "before_cursor_execute", explain)
    reader.close()
    own = ("SCAN CONSTANT ROW", "SCAN (subquery")  # of the batch's own ids
    bad = ("SCAN", "AUTOMATIC", "ix_job_settled", "ix_job_state")
    return [line for line in said if any(word in line for word in bad) and not line.startswith(own)]


def test_no_batch_reads_a_whole_table(database: Database) -> None:
    jobs = Jobs(database)
    for _ in range(20):
        jobs.make(100)
    assert searches(database) == []
    with database.session() as session:
        session.execute(text("DROP INDEX ix_restore_point_job_id"))
    assert searches(database) == ["SCAN restore_point"], "negative control"
