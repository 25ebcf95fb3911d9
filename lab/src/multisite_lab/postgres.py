"""A PostgreSQL server of one's own in a folder of one's own, for tests and benchmarks without sites.

It runs as an unprivileged user, on a Unix socket and loopback only, and is stopped by its process id.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from multisite_lab import install
from multisite_lab.model import LabError

PACKAGE = "postgresql"
START_SECONDS = 60.0
_USER = "postgres"
_DATABASE = "multisite"


class Postgres:
    """``url`` is SQLAlchemy's.  ``folder`` has to be one the server's user can enter."""

    def __init__(self, folder: Path) -> None:
        install.ensure_packages(PACKAGE)
        self._bin = _programs()
        self._user = _USER if os.geteuid() == 0 else None
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            account = pwd.getpwnam(_USER)
            os.chown(folder, account.pw_uid, account.pw_gid)
        self._run("initdb", "--auth=trust", "--no-instructions", "-U", "multisite", "-D", str(self._data))
        (self._data / "postgresql.auto.conf").write_text(
            f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
            f"unix_socket_directories = '{folder}'\nmax_connections = 200\n"
        )

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://multisite@127.0.0.1:{self.port}/{_DATABASE}"

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", str(self._data)],
                user=self._user, group=self._user, extra_groups=[] if self._user else None,
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.1)
        self._run("psql", *self._where("postgres"), "-c", f"CREATE DATABASE {_DATABASE}", check=False)

    def stop(self, *, crash: bool = False) -> None:
        """End all sessions and stop; ``crash``: without writing anything back (it recovers at its start)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def sql(self, statement: str) -> str:
        """Run a statement; its rows, unaligned."""
        return self._run("psql", *self._where(_DATABASE), "-At", "-c", statement)

    def _where(self, database: str) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "multisite", "-d", database]

    def _answers(self) -> bool:
        command: list[str | Path] = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command).returncode == 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=self._user, group=self._user, extra_groups=[] if self._user else None,
            cwd="/", capture_output=True, text=True,
        )  # fmt: skip
        if check and done.returncode:
            raise LabError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout.strip()


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A started server in a temporary folder; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="multisite-postgres-"))
    try:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Debian keeps the servers of several versions side by side: the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if not found:
        raise LabError(f"there is no PostgreSQL in /usr/lib/postgresql: install the package {PACKAGE}")
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
