"""Doing it: at a replica by SQL, at the site's proxy by HAProxy's runtime API (its manual, "Unix Socket commands")."""

from __future__ import annotations

import socket
from pathlib import Path

from multisite.identity.watchdog.database import session
from multisite.identity.watchdog.plan import Repoint, Start
from multisite.identity.watchdog.settings import Settings

_FORCED_MAINTENANCE = 0x01
_SOCKET_SECONDS = 3.0
_SQL_SECONDS = 15.0


class ProxyError(Exception):
    """The proxy did not take a command; the message says what it answered."""


def repair(settings: Settings, action: Repoint | Start) -> None:
    """Carry out one intervention; raises one of database.ERRORS.

    May be ended between any two statements: a replica that was left stopped, without an error, is started at the
    next check; one without its new master yet is re-pointed again.
    """
    replica = {replica.name: replica for replica in settings.replicas}[action.replica]
    with session(settings, replica.address, replica.port, _SQL_SECONDS) as cursor:
        if isinstance(action, Repoint):
            master = settings.master(action.master)
            cursor.execute("STOP SLAVE")
            # User, password and the rest of how it connects stay as they are.
            cursor.execute(
                "CHANGE MASTER TO master_host = %s, master_port = %s, master_use_gtid = slave_pos",
                (master.address, master.port),
            )
        cursor.execute("START SLAVE")


def servers(path: Path) -> dict[str, bool]:
    """``backend/server`` -> whether it is forced into maintenance; raises ProxyError."""
    found: dict[str, bool] = {}
    titles: list[str] = []
    for line in _ask(path, "show servers state").splitlines():
        fields = line.split()
        if line.startswith("# "):
            titles = fields[1:]
        elif titles and len(fields) >= len(titles):
            row = dict(zip(titles, fields, strict=False))
            forced = int(row["srv_admin_state"]) & _FORCED_MAINTENANCE
            found[f"{row['be_name']}/{row['srv_name']}"] = bool(forced)
    return found


def set_out(path: Path, server: str, out: bool) -> None:
    """Take a server out, its connections with it, or let its checks decide again; raises ProxyError."""
    answer = _ask(path, f"set server {server} state {'maint' if out else 'ready'}").strip()
    if out and not answer:
        # Who is connected would go on reading there.
        answer = _ask(path, f"shutdown sessions server {server}").strip()
    if answer:
        raise ProxyError(f"{server}: {answer}")


def _ask(path: Path, command: str) -> str:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SOCKET_SECONDS)
            connection.connect(str(path))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError as error:
        raise ProxyError(f"{path}: {error}") from error
