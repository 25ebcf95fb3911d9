"""Leases on things: one of several processes may act, until a moment it can lengthen.

Moments are the database server's (on SQLite there is one process: its own clock).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from multisite.store.database import Database
from multisite.store.models import LeaseRow
from multisite.store.types import now


def take(database: Database, name: str, holder: str, seconds: float) -> bool:
    """Take the lease, or lengthen one's own; False while another holder has it."""
    try:
        with database.session() as session:
            present = moment(session)
            until = present + timedelta(seconds=seconds)
            mine_or_over = or_(LeaseRow.holder == holder, LeaseRow.expires_at < present)
            wanted = update(LeaseRow).where(LeaseRow.name == name, mine_or_over)
            result = session.execute(wanted.values(holder=holder, expires_at=until))
            assert isinstance(result, CursorResult)
            if result.rowcount == 1:
                return True
            if session.get(LeaseRow, name) is not None:
                return False
            session.add(LeaseRow(name=name, holder=holder, expires_at=until))
            session.flush()
            return True
    except IntegrityError:  # somebody was faster
        return False


def held(session: Session, name: str, holder: str) -> bool:
    """Whether the holder has it now; until this transaction ends nobody else takes it."""
    wanted = select(LeaseRow.name).where(
        LeaseRow.name == name, LeaseRow.holder == holder, LeaseRow.expires_at >= moment(session)
    )
    return session.scalar(wanted.with_for_update()) is not None


def give_back(database: Database, name: str, holder: str) -> None:
    """Let go of it; harmless when it is another's by now."""
    with database.session() as session:
        session.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder))


def moment(session: Session) -> datetime:
    """The present moment by the clock that leases and schedules go by."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    found = session.scalar(select(func.clock_timestamp()))
    assert isinstance(found, datetime)
    return found
