"""Everything we ask of DBOS, and all of it that is not its public interface: one place to look after an upgrade.

Its tables are in our own database (schema ``dbos`` on PostgreSQL), so that a job and its place in the queue are
written together or not at all.  ``tests/unit/jobs/test_dbos_calls.py`` fails when DBOS changes what is used here.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, _context, _dbos, _serialization, _sys_db
from sqlalchemy import ColumnElement, Engine, Select, column, delete, select, table, update
from sqlalchemy.orm import Session

from multisite.domain.errors import Invalid
from multisite.store.database import Database

WORKFLOW = "multisite.job"
QUEUE = "jobs"
APPLICATION = "multisite"
VERSION = "multisite-jobs-1"
"""Fixed, so that every release carries on what an older one left."""
POLL_SECONDS = 0.2
IDLE_TRANSACTION_SECONDS = 4.0
ACTIVE = ("PENDING", "ENQUEUED", "DELAYED")
"""States in which DBOS will carry on with a workflow by itself."""


def _refuse(*_: object) -> Any:
    raise TypeError("pickle is refused: whoever can write a row could run code; only JSON is stored")


# DBOS reads what a row says is pickled, whatever serializer is configured: so its methods go, for all instances.
for _method in ("serialize", "deserialize"):
    setattr(_serialization.DefaultSerializer, _method, _refuse)


def check_environment(database: Database) -> None:
    """Invalid when DBOS would not do what we rely on."""
    if os.environ.get("DBOS__CLOUD") == "true":
        raise Invalid("DBOS__CLOUD is set: Multisite keeps its jobs to itself; unset it")
    if database.is_sqlite and sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        raise Invalid(f"SQLite {sqlite3.sqlite_version}: DBOS on Python 3.12 or newer needs 3.42 or newer")


def _url(database: Database) -> str:
    return f"sqlite:///{database.path}" if database.is_sqlite else "postgresql://ours@ours/ours"


def migrate(database: Database) -> None:
    """Create DBOS's tables, or bring them up to date; safe to call on every start."""
    # On SQLite it begins transactions of its own: not on our engine, which has begun one already.
    client = _client(database, None if database.is_sqlite else database.engine)
    try:
        client._sys_db.run_migrations()
    finally:
        client.destroy()


def _client(database: Database, engine: Engine | None) -> DBOSClient:
    return DBOSClient(
        system_database_url=_url(database),
        system_database_engine=engine,
        serializer=_serialization.DBOSPortableJSON,
        application_name=APPLICATION,
        lazy=True,
    )


class Queue:
    """The queue of runs to carry out, as who fills it sees it."""

    def __init__(self, database: Database) -> None:
        self._client = _client(database, database.engine)

    def put(self, session: Session, job_id: str, run: int) -> None:
        """Within the session: a run that is in already stays as it is."""
        place: EnqueueOptions = {
            "workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": workflow_id(job_id, run),
            "app_version": VERSION,
        }  # fmt: skip
        self._client.enqueue_in_transaction(session, place, job_id, run)


def launch(database: Database, executor: str, at_once: int) -> None:
    """Begin to take runs from the queue, so many at the same time, in an event loop that DBOS ends with ``destroy``."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # or DBOS adds a console of its own
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_url": _url(database),
        "executor_id": executor,
        "application_version": VERSION,
        "enable_otlp": False,
        "log_level": "ERROR",  # a database that is away is told of by the lease and the steps, not five times a second
        "serializer": _serialization.DBOSPortableJSON,
        "use_listen_notify": False,
        "sys_db_idle_transaction_timeout_sec": IDLE_TRANSACTION_SECONDS,
        "run_migrations": False,
    }
    if not database.is_sqlite:
        config["system_database_engine"] = database.engine
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=at_once, polling_interval_sec=POLL_SECONDS, on_conflict="always_update"
    )
    if not database.is_sqlite:
        _share(_dbos._get_dbos_instance()._sys_db)


def _share(system: _sys_db.SystemDatabase) -> None:
    """Take one run at a time, so that a burst is shared out: DBOS's first poller takes all it has room for."""
    take = system.start_queued_workflows

    def take_one(
        queue: Any, executor: str, version: str, part: str | None, running: int, *rest: Any, **more: Any
    ) -> Any:
        queue._worker_concurrency = min(queue._worker_concurrency or 1, running + 1)
        return take(queue, executor, version, part, running, *rest, **more)

    system.start_queued_workflows = take_one  # type: ignore[method-assign, assignment]


def destroy() -> None:
    """Take no more, cancel what runs, if anything was launched; what has not ended stays PENDING."""
    logging.getLogger("dbos").setLevel(logging.CRITICAL)  # it warns of every task it leaves for recovery
    DBOS.destroy()


def workflow_id(job_id: str, run: int) -> str:
    return f"{job_id}:{run}"


def current_owner() -> str:
    """Within a workflow: the token DBOS wrote when this process took it, new each time one does."""
    owner = _context.assert_current_dbos_context().owner_xid
    assert owner is not None
    return owner


_COLUMNS = ("workflow_uuid", "status", "name", "executor_id", "owner_xid", "started_at_epoch_ms")


def _rows(session: Session, name: str = "workflow_status", columns: Iterable[str] = _COLUMNS) -> Any:
    schema = None if session.get_bind().dialect.name == "sqlite" else "dbos"
    return table(name, *map(column, columns), schema=schema)


def owns(session: Session, workflow: str, owner: str) -> bool:
    """Whether this token is the present owner's; no other process can become it before the transaction ends."""
    rows = _rows(session)
    wanted = select(rows.c.owner_xid).where(rows.c.workflow_uuid == workflow).with_for_update(key_share=True)
    return bool(session.scalar(wanted) == owner)


def claimed(session: Session, executor: str) -> dict[str, str | None]:
    """Workflows this executor has taken and not ended, with its token for each."""
    rows = _rows(session)
    mine = (rows.c.status == "PENDING", rows.c.executor_id == executor, rows.c.name == WORKFLOW)
    return dict(session.execute(select(rows.c.workflow_uuid, rows.c.owner_xid).where(*mine)).all())


def give_back(session: Session, workflow: str, owner: str | None) -> None:
    """Into the queue again, if nobody else has taken it since."""
    rows = _rows(session)
    _enqueue(session, rows, rows.c.workflow_uuid == workflow, rows.c.owner_xid == owner)


def hand_over(session: Session, living: Select[tuple[str]]) -> None:
    """Into the queue again with what executors have taken that are not among the living."""
    rows = _rows(session)
    _enqueue(session, rows, rows.c.name == WORKFLOW, rows.c.executor_id.not_in(living))


def states(session: Session, workflows: Collection[str]) -> Mapping[str, str]:
    """The state of each workflow that DBOS knows."""
    rows = _rows(session)
    known = select(rows.c.workflow_uuid, rows.c.status).where(rows.c.workflow_uuid.in_(workflows))
    return dict(session.execute(known).all())


def remove(session: Session, runs: Mapping[str, int]) -> None:
    """All that DBOS keeps of jobs that have ended, given how many runs each had."""
    workflows = [workflow_id(job_id, run) for job_id, last in runs.items() for run in range(1, last + 1)]
    for name in ("operation_outputs", "workflow_input", "workflow_output", "workflow_status"):
        rows = _rows(session, name, ["workflow_uuid"])
        session.execute(delete(rows).where(rows.c.workflow_uuid.in_(workflows)))


def _enqueue(session: Session, rows: Any, *which: ColumnElement[bool]) -> None:
    # As SystemDatabase.reenqueue_for_recovery does, but in our transaction.
    again = update(rows).where(rows.c.status == "PENDING", *which)
    session.execute(again.values(status="ENQUEUED", owner_xid=None, started_at_epoch_ms=None))
