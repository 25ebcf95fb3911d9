"""Which failures of a database pass by themselves or by an operator's hand: lost, restarted, full, read-only."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, TimeoutError

# Classes of SQLSTATE: connection, transaction state (read-only, ended for idling), rolled back to resolve a
# conflict, out of resources (disk), operator intervention, system error.
_CLASSES = ("08", "25", "40", "53", "57", "58")
_SQLITE = ("full", "readonly", "locked", "disk i/o error", "unable to open")


def is_transient(error: BaseException) -> bool:
    """True when the same transaction may succeed later.  Whether it was committed is not known."""
    if isinstance(error, TimeoutError):  # no connection of the pool became free
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        words = str(error.orig).lower()
        return any(word in words for word in _SQLITE)
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return str(state).startswith(_CLASSES)
    return error.connection_invalidated or type(error).__name__ == "OperationalError"


def describe(error: BaseException) -> str:
    """The first line of what the driver says, without statements and parameters."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
