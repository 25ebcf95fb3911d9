"""The database: sessions, durability settings, schema upgrades."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from multisite.domain.errors import Conflict, Invalid, MultisiteError, Unavailable
from multisite.store.failures import describe, is_transient

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_SECONDS = 30
IDLE_SECONDS = 4
"""How long a transaction on a database server may stand still before the server ends it."""
_READ_ONLY = "multisite_read_only"


class Database:
    """One database by SQLAlchemy URL (``sqlite:////var/lib/multisite.db``, ``postgresql+psycopg://...``).

    A session opened while the same thread has one open joins it: verbs of several repositories become one
    transaction by wrapping them in ``with database.session():``.
    """

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.sessions = f"multisite-{uuid.uuid4().hex[:8]}"
        """The name this process's sessions on a server go by; nobody else's do."""
        self._local = threading.local()
        self._writer = threading.Lock()
        self._engine = _sqlite_engine(self.url) if self.is_sqlite else _server_engine(self.url, self.sessions)
        self._write = sessionmaker(self._engine, expire_on_commit=False)
        self._read = sessionmaker(
            self._engine.execution_options(**{_READ_ONLY: True}), expire_on_commit=False
        )

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a database server."""
        return Path(self.url.database).absolute() if self.is_sqlite and self.url.database else None

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[Session]:
        """Commit at the end, roll back on an exception.  ``read_only`` waits for no writer, keeps nothing."""
        outer: Session | None = getattr(self._local, "session", None)
        if outer is not None:
            if self._local.read_only and not read_only:
                raise RuntimeError("a writing session cannot join a read-only one")
            yield outer
            return
        after: list[Callable[[], Any]] = []
        with self._turn(read_only), (self._read if read_only else self._write)() as session:
            self._local.session, self._local.read_only, self._local.after = session, read_only, after
            try:
                yield session
                if not read_only:
                    session.commit()
            except BaseException:
                session.rollback()
                raise
            finally:
                self._local.session = None
        for call in after:
            call()

    @contextmanager
    def _turn(self, read_only: bool) -> Iterator[None]:
        # SQLite lets waiting writers poll for the lock, unfairly and with sleeps: threads queue here instead.
        if read_only or not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise Conflict(f"database: busy for {BUSY_SECONDS} s; try again")
        try:
            yield
        finally:
            self._writer.release()

    @property
    def in_session(self) -> bool:
        """Whether this thread has a session open, which a new one would join."""
        return getattr(self._local, "session", None) is not None

    def after_commit(self, call: Callable[[], Any]) -> None:
        """Run ``call`` once what this thread's open session wrote is durable; at once when none is open."""
        if getattr(self._local, "session", None) is None:
            call()
        else:
            self._local.after.append(call)

    def advisory_lock(self, what: str) -> None:
        """Until the end of this thread's open session nobody else passes here with the same words.

        SQLite has one writer at a time anyway; a server lets two transactions check the same rule at once.
        Without an open session there is nothing to hold on to: a first check, to be repeated within one.
        """
        session: Session | None = getattr(self._local, "session", None)
        if session is not None and not self.is_sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": what})

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to the version of this release (alembic head); safe to call on every start.

        Unavailable when it cannot be used now; MultisiteError when a newer release wrote it; Conflict when an older
        one is at work on it: two releases never share a database.
        """
        from alembic import command  # here, because it takes long to import and is needed once in a while
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
        )
        try:
            with self._engine.begin() as connection:
                if not self.is_sqlite:  # several processes start at once
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('multisite upgrade'))")
                    _refuse_beside_older_workers(connection, config, revision)
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
        except CommandError as error:
            raise MultisiteError(
                f"database {self!r} cannot be upgraded: {error}; was it written by a newer release? Then start"
                " that one: two releases must not share a database"
            ) from error
        except DBAPIError as error:
            if not is_transient(error):
                raise
            raise Unavailable(
                f"{self!r}: {describe(error)}: is it there, writable, and is there space?"
            ) from error

    def version(self) -> str | None:
        """The schema's revision, None when nothing was created yet."""
        from alembic.migration import MigrationContext

        with self._engine.connect().execution_options(**{_READ_ONLY: True}) as connection:
            return MigrationContext.configure(connection).get_current_revision()

    @property
    def engine(self) -> Engine:
        """For a library that keeps tables of its own in this database."""
        return self._engine

    def connect(self) -> Connection:
        """A bare connection, for management commands and tests."""
        return self._engine.connect()

    def close(self) -> None:
        self._engine.dispose()


def _refuse_beside_older_workers(connection: Connection, config: Config, revision: str) -> None:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    current = MigrationContext.configure(connection).get_current_revision()
    wanted = ScriptDirectory.from_config(config).get_revision(revision)
    if (
        current is None
        or wanted is None
        or wanted.revision == current
        or not inspect(connection).has_table("worker")
    ):
        return
    alive = connection.exec_driver_sql(
        "SELECT id FROM worker WHERE expires_at > clock_timestamp() ORDER BY id"
    )
    if names := ", ".join(alive.scalars()):
        raise Conflict(
            f"database: its schema is {current}, this release needs {wanted.revision}, and workers of another release"
            f" are at work on it ({names}): stop all its processes, then start this release"
        )


def _server_engine(url: URL, name: str) -> Engine:
    if url.drivername != "postgresql+psycopg":
        raise Invalid(
            f"database connection: {url.drivername!r} is not supported; "
            "use sqlite:////path/file or postgresql+psycopg://user:password@host/name"
        )
    settings = {
        "application_name": name,
        "connect_timeout": 3,
        # A server that is cut off is noticed, instead of being waited for.
        "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 8000,
        # A process that is frozen or cut off within a transaction must not keep its locks: others have to take
        # over what it had.  Ours never wait for anything outside within a transaction.
        "options": f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000}",
    }  # fmt: skip
    settings = {key: value for key, value in settings.items() if key not in url.query}
    return create_engine(
        url, pool_pre_ping=True, pool_size=8, max_overflow=24, pool_timeout=10, connect_args=settings
    )


def _sqlite_engine(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise Invalid(
            "database connection: SQLite in memory is not durable; name a file (sqlite:////path/multisite.db)"
        )
    Path(str(url.database)).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=16, max_overflow=64, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def settings(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself: it would begin them late, without intent to write.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait in WAL mode ("database is locked" at
        # once), so writers say at the beginning that they will write and queue in busy_timeout.
        read_only = connection.get_execution_options().get(_READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
