"""The audit trail keeps what it was told, in order, for good; a killed process leaves an honest trace."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from multisite.domain import work
from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent
from multisite.domain.page import Page
from multisite.store.audit import AuditRepository
from multisite.store.database import Database
from multisite.store.models import RecoveryRow, RestorePointRow
from multisite.store.trail import AuditTrail
from multisite.store.types import now


def intent(**more: Any) -> Intent:
    values = {"kind": AuditKind.CLOUD, "user": "olga", "method": "POST", "path": "/servers"} | more
    return Intent(**values)


def done(of: Intent, **more: Any) -> Ending:
    return Ending(of.key, AuditOutcome.DONE, 202, "req-1", **more)


def test_an_intent_without_an_ending_says_so(database: Database) -> None:
    rows = AuditRepository(database)
    first, second = intent(job_id="j", step="s", attempt=1, site="west", service="compute"), intent()
    rows.add([first])
    rows.add([second], [done(first, resource_id="v-1", seconds=0.25)])
    newest, oldest = rows.list()
    assert (newest.outcome, newest.status, newest.seconds) == (AuditOutcome.INTENDED, None, None)
    assert (oldest.outcome, oldest.status, oldest.cloud_request_id) == (AuditOutcome.DONE, 202, "req-1")
    assert (oldest.resource_id, oldest.seconds, oldest.step) == ("v-1", 0.25, "s")
    assert (oldest.kind, oldest.at) == (AuditKind.CLOUD, first.at)


@pytest.mark.parametrize("table", ["audit", "audit_end"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET key = 'other'"])
def test_the_database_itself_refuses_to_forget(database: Database, table: str, change: str) -> None:
    rows, one = AuditRepository(database), intent()
    rows.add([one], [done(one)])
    with (
        pytest.raises((IntegrityError, OperationalError), match="append-only"),
        database.session() as session,
    ):
        session.execute(text(change.format(table)))
    assert len(rows.list()) == 1


def test_pages_and_filters(database: Database) -> None:
    rows = AuditRepository(database)
    begun = datetime(2026, 11, 1, tzinfo=UTC)
    sites = ("paris", "lyon")
    items = [
        intent(at=begun + timedelta(hours=n), project_id=f"p{n % 2}", site=sites[n % 2], job_id=f"j{n}")
        for n in range(10)
    ]
    rows.add(items, [done(items[1], job_id=None, project_id="p0")])
    page = rows.list(page=Page(4))
    assert [r.job_id for r in page] == ["j9", "j8", "j7", "j6"]
    assert [r.job_id for r in rows.list(page=Page(4, str(page[-1].id)))] == ["j5", "j4", "j3", "j2"]
    assert {r.site for r in rows.list(site="lyon")} == {"lyon"}
    assert [r.job_id for r in rows.list(job="j3")] == ["j3"]
    assert len(rows.list(since=begun + timedelta(hours=8))) == 2
    # Of a project: what it asked, and what others did to its things (an administrator, j1).
    assert [r.job_id for r in rows.list("p0")] == ["j8", "j6", "j4", "j2", "j1", "j0"]


def test_an_application_stands_for_all_that_is_of_it(database: Database) -> None:
    """Also when it and its protection are gone: restore points and recoveries remember."""
    point = {
        "application": "mme",
        "project_id": "p",
        "method": "m",
        "state": "available",
        "created_at": now(),
    }
    with database.session() as session:
        session.add(
            RestorePointRow(
                id="rp", application_id="app", protection_id="gone", incremental=False, frozen=[], marks=[],
                quiesced=True, epoch=0, **point,
            )
        )  # fmt: skip
        session.add(
            RecoveryRow(
                id="rec", application_id="app", application="mme", project_id="p", restore_point_id="rp",
                target_site="lyon", state="done", purpose="disaster", job_id="j",
                requested_by="olga", created_at=now(), servers=[], mapping={}, epoch=1, site_project_id="", plan="",
                method="", warm=False,
            )
        )  # fmt: skip
    rows = AuditRepository(database)
    rows.add([intent(subject=name, job_id=name) for name in ("gone", "rec", "rp", "app", "other")])
    assert {r.job_id for r in rows.list(subject="mme")} == {"gone", "rec", "rp", "app"}
    assert {r.job_id for r in rows.list(subject="app")} == {"gone", "rec", "rp", "app"}
    assert {r.job_id for r in rows.list("p", subject="rec")} == set()  # of no project: not theirs
    assert {r.job_id for r in rows.list(subject="rec")} == {"rec"}


def test_the_intent_is_waited_for_the_ending_comes_soon(database: Database) -> None:
    trail, one = AuditTrail(database), intent()
    trail.begin(one)
    assert AuditRepository(database).list()[0].outcome is AuditOutcome.INTENDED
    trail.finish(done(one))
    deadline = time.monotonic() + 5
    while AuditRepository(database).list()[0].outcome is AuditOutcome.INTENDED:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    trail.close()


def test_nothing_frozen_waits_for_the_database(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else holds the writer for a second: in a hurry that costs nothing, otherwise it is waited for."""
    trail, one = AuditTrail(database), intent(action="unquiesce")
    caplog.set_level(logging.INFO, "multisite.audit")
    with database.session(), work.in_a_hurry():
        begun = time.monotonic()
        trail.begin(one)
        trail.finish(done(one))
        assert time.monotonic() - begun < 1
        shown = [record.audit["outcome"] for record in caplog.records]  # type: ignore[attr-defined]
        assert shown == ["intended", "done"]  # the log had it at once
    assert trail.list()[0].action == "unquiesce"
    trail.close()


def test_what_cannot_be_written_now_is_written_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail, one = AuditTrail(database), intent()
    trail.begin(one)
    with monkeypatch.context() as broken:
        broken.setattr(AuditRepository, "add", lambda *_: (_ for _ in ()).throw(OSError("full")))
        trail.finish(done(one))
        trail.flush()
    assert trail.list()[0].outcome is AuditOutcome.DONE
    trail.close()


def test_an_approval_is_kept_with_what_it_approves_or_not_at_all(database: Database) -> None:
    trail, one = AuditTrail(database), intent(kind=AuditKind.APPROVAL, action="confirm")

    def fail() -> None:
        with database.session():
            trail.record(one, done(one))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert trail.list() == []
    with database.session():
        trail.record(one, done(one))
    assert [r.kind for r in trail.list()] == [AuditKind.APPROVAL]


KILLED = """
import os, signal, sys
from multisite.domain.audit import AuditKind, Intent
from multisite.store.database import Database
from multisite.store.trail import AuditTrail
trail = AuditTrail(Database(sys.argv[1]))
trail.begin(Intent(AuditKind.CLOUD, "olga", "POST", "/servers", job_id="j"))
os.kill(os.getpid(), signal.SIGKILL)  # while the request is out
"""


def test_kill_9_leaves_the_intent(database: Database) -> None:
    url = database.url.render_as_string()
    done = subprocess.run([sys.executable, "-c", KILLED, url], timeout=60, check=False)
    assert done.returncode == -9
    (left,) = AuditRepository(database).list(job="j")
    assert (left.outcome, left.status, left.user) == (AuditOutcome.INTENDED, None, "olga")


def test_it_costs_little(database: Database, record_property: Any) -> None:
    """One short transaction per change; what the machine's disk makes of it is in the report."""
    trail = AuditTrail(database)
    begun = time.monotonic()
    for _ in range(100):
        one = intent()
        trail.begin(one)
        trail.finish(done(one))
    each = (time.monotonic() - begun) / 100
    record_property("seconds_per_change", each)
    assert each < 0.1
    assert len(trail.list()) == 100
    trail.close()
