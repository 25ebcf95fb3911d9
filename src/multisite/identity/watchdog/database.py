"""A connection to one of the databases, with short limits: a site that is gone gives no answer at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from multisite.identity.watchdog.settings import Settings

CONNECT_SECONDS, ANSWER_SECONDS = 1.5, 3.0
ERRORS = (pymysql.MySQLError, OSError)


@contextlib.contextmanager
def session(
    settings: Settings, address: str, port: int, answer: float = ANSWER_SECONDS
) -> Iterator[DictCursor]:
    """A logged-in cursor whose rows are dictionaries, committing each statement; raises one of ERRORS."""
    connection = pymysql.connect(
        host=address,
        port=port,
        user=settings.account,
        password=settings.password().get_secret_value(),
        connect_timeout=CONNECT_SECONDS,
        read_timeout=answer,
        write_timeout=answer,
        autocommit=True,
        cursorclass=DictCursor,
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


def said(error: Exception) -> str:
    """The server's or the system's words; they name accounts and hosts, never passwords."""
    details: Any = error.args[1] if len(error.args) > 1 else error
    return str(details)[:200]
