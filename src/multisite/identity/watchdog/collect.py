"""Reads the state of the databases.  One that does not answer is recorded as that, never as what it was before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from multisite.clouds.ask import ask_all
from multisite.identity.watchdog.database import ERRORS, message, session
from multisite.identity.watchdog.settings import Master, Replica, Settings
from multisite.identity.watchdog.status import MasterStatus, ReplicaStatus, position

StatusT = TypeVar("StatusT")
SECONDS = 15.0
"""For all of one database's answers, whose connection has limits of its own; a name may take longer to resolve."""


def replicas(settings: Settings) -> list[ReplicaStatus]:
    """Every replica of this site, in their order."""
    named = {replica.name: replica for replica in settings.replicas}
    return _all(
        named,
        lambda name: _replica(settings, named[name]),
        lambda name, why: ReplicaStatus(name, answers=False, error=why),
    )


def masters(settings: Settings) -> list[MasterStatus]:
    """Every master, in their order."""
    named = {master.site: master for master in settings.masters}
    return _all(
        named,
        lambda name: _master(settings, named[name]),
        lambda name, why: MasterStatus(name, primary=False, why=why),
    )


def _all(
    names: Iterable[str], question: Callable[[str], StatusT], late: Callable[[str, str], StatusT]
) -> list[StatusT]:
    answers = ask_all(names, question, seconds=SECONDS)
    found = answers.known | {name: late(name, why) for name, why in answers.reasons.items()}
    return [found[name] for name in names]


def _replica(settings: Settings, replica: Replica) -> ReplicaStatus:
    try:
        with session(settings, replica.address, replica.port) as cursor:
            cursor.execute("SHOW SLAVE STATUS")
            row: dict[str, Any] = cursor.fetchone() or {}
            cursor.execute("SELECT @@GLOBAL.gtid_slave_pos AS gtids")
            gtids = (cursor.fetchone() or {}).get("gtids") or ""
    except ERRORS as error:
        return ReplicaStatus(replica.name, answers=False, error=message(error))
    sites = {(master.address, master.port): master.site for master in settings.masters}
    return ReplicaStatus(
        replica.name,
        answers=True,
        follows=sites.get((row.get("Master_Host", ""), int(row.get("Master_Port") or 0)), ""),
        receiving=row.get("Slave_IO_Running", "No"),
        applying=row.get("Slave_SQL_Running", "No"),
        receive_error=int(row.get("Last_IO_Errno") or 0),
        error=(row.get("Last_SQL_Error") or row.get("Last_IO_Error") or "")[:200],
        position=position(gtids, settings.gtid_domain),
    )


def _master(settings: Settings, master: Master) -> MasterStatus:
    try:
        with session(settings, master.address, master.port) as cursor:
            cursor.execute("SHOW STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_ready')")
            status = {row["Variable_name"]: row["Value"] for row in cursor.fetchall()}
            cursor.execute("SELECT @@GLOBAL.gtid_binlog_pos AS gtids")
            gtids = (cursor.fetchone() or {}).get("gtids") or ""
    except ERRORS as error:
        return MasterStatus(master.site, primary=False, why=message(error))
    primary = status.get("wsrep_cluster_status") == "Primary" and status.get("wsrep_ready") == "ON"
    why = "" if primary else f"is {status.get('wsrep_cluster_status', 'no Galera node')}"
    return MasterStatus(master.site, primary, position(gtids, settings.gtid_domain), why)
