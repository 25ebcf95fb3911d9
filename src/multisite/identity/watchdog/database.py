"""A connection of the watchdog's account, with short limits."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pymysql.cursors import DictCursor

from multisite.identity import sql
from multisite.identity.sql import ERRORS, message
from multisite.identity.watchdog.settings import Settings

__all__ = ["ERRORS", "message", "session"]

CONNECT_SECONDS, ANSWER_SECONDS = 1.5, 3.0


def session(
    settings: Settings, address: str, port: int, answer: float = ANSWER_SECONDS
) -> AbstractContextManager[DictCursor]:
    """Its rows are dictionaries; raises one of ERRORS when it is entered or used."""
    return sql.session(
        address, port, settings.account, settings.password(), connect=CONNECT_SECONDS, answer=answer,
        kind=DictCursor,
    )  # fmt: skip
