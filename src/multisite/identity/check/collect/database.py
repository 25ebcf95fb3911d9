"""Facts of a MariaDB server, by logging in to it."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

import pymysql
from pydantic import SecretStr
from pymysql.cursors import Cursor

from multisite.identity import sql
from multisite.identity.check.facts import DatabaseFacts, Unknown
from multisite.identity.render import names
from multisite.identity.secrets import Secrets
from multisite.identity.sql import ERRORS, message
from multisite.identity.topology.model import Database

CONNECT_SECONDS, ANSWER_SECONDS = 3, 10
_GRANT = re.compile(r"GRANT (.*?) ON \*\.\* TO ")
_REACHED = 0


def position(database: Database, secrets: Secrets) -> str | Unknown:
    """``gtid_binlog_pos`` of a master: what its replicas have to have."""
    try:
        with _session(database, names.CHECK_ACCOUNT, secrets.check) as cursor:
            cursor.execute("SELECT @@GLOBAL.gtid_binlog_pos")
            (row,) = cursor.fetchall()
            return str(row[0])
    except ERRORS as error:
        return Unknown(message(error))


def facts(
    database: Database, secrets: Secrets, target: str | Unknown | None, wait: float
) -> DatabaseFacts | Unknown:
    """Variables, status, replication and grants.

    ``target``: the GTID position of its master a replica is given ``wait`` seconds to reach; None for a master.
    """
    try:
        with _session(database, names.CHECK_ACCOUNT, secrets.check) as cursor:
            variables = _pairs(cursor, "SHOW GLOBAL VARIABLES")
            status = _pairs(cursor, "SHOW GLOBAL STATUS")
            replica = _replica(cursor)
            caught_up = None if target is None else _reached(cursor, target, wait)
    except ERRORS as error:
        return Unknown(message(error))
    return DatabaseFacts(variables, status, replica, _privileges(database, secrets), caught_up)


def _replica(cursor: Cursor) -> dict[str, str] | Unknown | None:
    try:
        cursor.execute("SHOW SLAVE STATUS")
    except pymysql.MySQLError as error:
        return Unknown(message(error))  # the account lacks SLAVE MONITOR
    rows = cursor.fetchall()
    if not rows:
        return None
    titles = [column[0] for column in cursor.description or ()]
    return {title: "" if value is None else str(value) for title, value in zip(titles, rows[0], strict=True)}


def _reached(cursor: Cursor, target: str | Unknown, wait: float) -> bool | Unknown:
    if isinstance(target, Unknown):
        return Unknown(f"its master's position is not known: {target.reason}")
    try:
        cursor.execute("SELECT MASTER_GTID_WAIT(%s, %s)", (target, wait))
        (row,) = cursor.fetchall()
    except pymysql.MySQLError as error:
        return Unknown(message(error))
    return bool(row[0] == _REACHED)


def _privileges(database: Database, secrets: Secrets) -> frozenset[str] | Unknown:
    """Keystone's account asks for its own grants: no other account has to see anybody's."""
    try:
        with _session(database, names.KEYSTONE_ACCOUNT, secrets.database) as cursor:
            cursor.execute("SHOW GRANTS")
            lines = [str(row[0]) for row in cursor.fetchall()]
    except ERRORS as error:
        return Unknown(message(error))
    lists = [match.group(1) for line in lines if (match := _GRANT.match(line))]
    return frozenset(name.strip().upper() for names_ in lists for name in names_.split(","))


def _pairs(cursor: Cursor, question: str) -> dict[str, str]:
    cursor.execute(question)
    return {str(name).lower(): str(value) for name, value in cursor.fetchall()}


def _session(database: Database, account: str, password: SecretStr) -> AbstractContextManager[Cursor]:
    return sql.session(
        database.address, database.port, account, password, connect=CONNECT_SECONDS, answer=ANSWER_SECONDS,
        kind=Cursor,
    )  # fmt: skip
