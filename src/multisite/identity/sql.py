"""A cursor at one of an identity's databases: always with limits, for a site that is gone gives no answer at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

import pymysql
from pydantic import SecretStr
from pymysql.cursors import Cursor

ERRORS = (pymysql.MySQLError, OSError)

C = TypeVar("C", bound=Cursor)


@contextlib.contextmanager
def session(
    address: str,
    port: int,
    account: str,
    password: SecretStr,
    *,
    connect: float,
    answer: float,
    kind: type[C],
) -> Iterator[C]:
    """A logged-in cursor of ``kind``, committing each statement; raises one of ERRORS.

    ``connect``, ``answer``: seconds for the login and for each statement.
    """
    connection = pymysql.connect(
        host=address,
        port=port,
        user=account,
        password=password.get_secret_value(),
        connect_timeout=connect,
        read_timeout=answer,
        write_timeout=answer,
        autocommit=True,
        cursorclass=kind,
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


def message(error: Exception) -> str:
    """The server's or the system's message; it names accounts and hosts, never passwords."""
    details: Any = error.args[1] if len(error.args) > 1 else error
    return str(details)[:200]
