"""The database keeps what it was told, on its own terms: durable, upgraded, one transaction at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.model import Site
from multisite.jobs.dbos_calls import migrate
from multisite.jobs.records import Records
from multisite.recovery.methods.consistent_backup.options import BackupOptions, options_of
from multisite.store.database import Database
from multisite.store.models import Base, SiteRow
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.sites import SiteRepository
from tests.unit.store import plain_names


def test_upgrade_makes_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/deep/er/multisite.db")
    assert database.version() is None
    database.upgrade()
    database.upgrade()
    assert database.version() == "0042"
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_jobs_of_the_release_before_are_kept(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade("0001")
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO job (id, kind, title, state, requested_by, params, run, epoch, intent, cancel_requested,"
                " settled, created_at) VALUES ('j', 'k', 't', 'running', 'me', '{}', 1, 3, 'run', 0, 0,"
                " '2026-01-01 00:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO step (job_id, name, position, title, state, needs, attempt, interrupted, undo_attempt,"
                " unit, detail) VALUES ('j', 's', 0, 't', 'running', '[]', 1, 0, 0, '', '')"
            )
        )
    database.upgrade()
    migrate(database)
    records = Records(database)
    assert [(job.id, job.settled) for job in records.list()] == [("j", False)]
    assert records.not_queued() == [("j", 1)]
    records.queue_again("j", 1)
    with database.session() as session:
        session.execute(text("UPDATE workflow_status SET status = 'PENDING', owner_xid = 'x'"))
    claim = records.claim("j", 1, "me", "x")
    assert claim is not None
    begun = records.begin(claim, "s", "pause")
    assert (begun.go, begun.attempt, begun.interrupted) == (True, 2, True)


def test_what_was_chosen_for_a_protection_is_kept(tmp_path: Path) -> None:
    """Columns before, its method's options since."""
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade("0009")
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO site (id, name, cloud, region, auth_url, description, created_at)"
                " VALUES ('s1', 'west', 'west', 'R', '', '', '2026-01-01 00:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO application (id, name, project_id, site, created_at)"
                " VALUES ('a1', 'demo', 'p1', 'west', '2026-01-01 00:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO protection (id, application_id, application, project_id, method, site, freeze_timeout,"
                " quiesce, full_every, console_mark, snapshot_gap_seconds, created_at) VALUES ('pr1', 'a1', 'demo',"
                " 'p1', 'consistent-backup', 'west', 30, 0, 3, 'MARK', 0.5, '2026-01-01 00:00:00')"
            )
        )
    database.upgrade()
    kept = ProtectionRepository(database).get("pr1")
    assert options_of(kept.options) == BackupOptions(30, False, 3, "MARK", 0.5)
    assert kept.application_id == "a1"


def test_recoveries_of_the_release_before_know_their_application(tmp_path: Path) -> None:
    """By their restore points; one whose restore point was forgotten stays without."""
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade("0014")
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO restore_point (id, application_id, application, project_id, method, state, incremental,"
                " created_at, frozen, marks, quiesced) VALUES ('rp1', 'a1', 'demo', 'p1', 'consistent-backup',"
                " 'available', 0, '2026-01-01 00:00:00', '[]', '[]', 1)"
            )
        )
        for id, point in (("r1", "rp1"), ("r2", "forgotten")):
            session.execute(
                text(
                    "INSERT INTO recovery (id, application, project_id, restore_point_id, target_site, state, job_id,"
                    " requested_by, created_at, servers, mapping) VALUES (:id, 'demo', 'p1', :point, 'east', 'done',"
                    " 'j', 'me', '2026-01-01 00:00:00', '[]', '{}')"
                ),
                {"id": id, "point": point},
            )
    database.upgrade()
    found = {r.id: r.application_id for r in RecoveryRepository(database).list()}
    assert found == {"r1": "a1", "r2": ""}


def test_what_was_stored_under_other_names_is_found_under_those_of_today(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade(plain_names.BEFORE)
    plain_names.fill(database)
    database.upgrade()
    plain_names.check(database)


def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(MultisiteError, match="newer release"):
        database.upgrade()


def test_the_tables_are_good_for_postgresql_too() -> None:
    for table in Base.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_sqlite_is_set_up_to_lose_nothing(database: Database) -> None:
    with database.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_not_durable(url: str) -> None:
    with pytest.raises(Invalid, match="not durable"):
        Database(url)


def test_a_password_in_the_url_is_not_printed() -> None:
    assert "s3cret" not in repr(Database("postgresql+psycopg://multisite:s3cret@db/multisite"))


def _site(number: int, name: str | None = None) -> Site:
    return Site(id=str(number), name=name or f"site-{number}", cloud="c", region="r", auth_url="http://k")


def test_an_exception_keeps_nothing_and_a_joined_session_is_one_transaction(database: Database) -> None:
    sites = SiteRepository(database)

    def add_and_fail() -> None:
        with database.session():
            sites.add(_site(1))
            sites.add(_site(2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert sites.list() == []
    with database.session() as outer:
        sites.add(_site(1))
        with database.session() as inner:
            assert inner is outer
    assert [site.id for site in sites.list()] == ["1"]


def test_a_refused_change_does_not_spoil_the_transaction_around_it(database: Database) -> None:
    sites = SiteRepository(database)
    with database.session():
        sites.add(_site(1))
        with pytest.raises(Conflict):
            sites.add(_site(1, "other"))
        with pytest.raises(NotFound):
            sites.get("9")
        sites.add(_site(2))
    assert [site.id for site in sites.list()] == ["1", "2"]


def test_after_commit_waits_for_the_commit_and_is_forgotten_on_rollback(database: Database) -> None:
    seen: list[str] = []
    database.after_commit(lambda: seen.append("now"))
    with database.session():
        SiteRepository(database).add(_site(1))
        database.after_commit(lambda: seen.append(SiteRepository(database).get("1").name))
        assert seen == ["now"]
    assert seen == ["now", "site-1"]

    def promise_and_fail() -> None:
        with database.session():
            database.after_commit(lambda: seen.append("never"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        promise_and_fail()
    assert seen == ["now", "site-1"]


def test_a_reader_cannot_become_a_writer(database: Database) -> None:
    with (
        database.session(read_only=True),
        pytest.raises(RuntimeError, match="read-only"),
        database.session(),
    ):
        pass


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    sites = SiteRepository(database)
    seen: list[int] = []
    with database.session():
        sites.add(_site(1))
        reader = threading.Thread(target=lambda: seen.append(len(sites.list())))
        reader.start()
        reader.join(5)
    assert seen == [0]


def test_many_writers_take_turns_and_lose_no_update(database: Database) -> None:
    SiteRepository(database).add(_site(1, "0"))

    def count() -> None:
        for _ in range(10):
            with database.session() as session:
                row = session.scalars(select(SiteRow)).one()
                row.name = str(int(row.name) + 1)

    threads = [threading.Thread(target=count) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SiteRepository(database).get("1").name == "120"
