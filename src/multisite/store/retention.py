"""What is removed from the database in time: jobs at rest that nothing names, and old records of the audit trail.

Each verb is one small transaction, and begins where the one before ended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from multisite.store.models import AuditEndRow, AuditRow, Base, JobRow, JournalRow, PlaneRow
from multisite.store.types import UtcDateTime

_OWN = frozenset({"step", "journal", "slot", "audit", "audit_end"})
"""Tables whose ``job_id`` tells of a job; in every other table it is a thing that needs its job."""
_ENDED = ("done", "undone")
_UNFINISHED = ("paused", "undo_failed")
"""At rest, but waiting for an operator's word: never removed."""
Marker = tuple[datetime, str]


@dataclass(frozen=True)
class Batch:
    """``marker``: where the next one begins, None at the end; ``runs``: of each removed job."""

    marker: Marker | None
    runs: dict[str, int]


@dataclass(frozen=True)
class JobCounts:
    """``old``: those that came to rest before the moment; of them ``unfinished`` wait for an operator, and ``named``
    are needed by what they made."""

    all: int
    old: int
    unfinished: int
    named: int

    @property
    def removable(self) -> int:
        return self.old - self.unfinished - self.named


def names_of_jobs() -> list[ColumnElement[Any]]:
    """The columns by which things name the job that made them, or has them; of tables of later releases, too."""
    return [
        column
        for table in Base.metadata.sorted_tables
        if table.name not in _OWN
        for column in table.columns
        if column.name.endswith("job_id")
    ]


def kept_by_planes(session: Session) -> set[str]:
    """Jobs whose tokens are on what planes were removed without: named, but in no column."""
    return {part["job_id"] for left in session.scalars(select(PlaneRow.left)) for part in left}


def remove_jobs(
    session: Session, before: datetime, marker: Marker | None, most: int, keep: Collection[str]
) -> Batch:
    """Of the next ``most`` made before a moment, oldest first: those at rest that nothing names, nor ``keep``.

    Their steps and journal go with them.
    """
    place = (JobRow.created_at, JobRow.id)
    following = select(*place).where(JobRow.created_at < before).order_by(*place).limit(most)
    if marker is not None:
        created_at, id = literal(marker[0], UtcDateTime()), literal(marker[1])
        following = following.where(JobRow.created_at >= created_at, tuple_(*place) > tuple_(created_at, id))
    seen = session.execute(following).all()
    ids = [id for _, id in seen]
    # Whether they are old is asked as a value: as a condition it would lead SQLite through all settled jobs.
    wanted = select(JobRow.id, JobRow.run, _old(before)).where(JobRow.id.in_(ids))
    locked = session.execute(wanted.with_for_update(skip_locked=True)).all()
    named = set(session.scalars(select(JobRow.id).where(JobRow.id.in_(ids), _named()))).union(keep)
    runs = {id: run for id, run, old in locked if old and id not in named}
    _delete(session, JournalRow.job_id.in_(runs), JournalRow)
    _delete(session, JobRow.id.in_(runs), JobRow)
    return Batch(seen[-1] if len(seen) == most else None, runs)


def count_jobs(session: Session, before: datetime, keep: Collection[str]) -> JobCounts:
    """How many there are, and what becomes of the old ones; ``keep``: named, too."""

    def count(*where: ColumnElement[bool]) -> int:
        return session.scalar(select(func.count()).select_from(JobRow).where(*where)) or 0

    old = count(_old(before))
    unfinished = count(JobRow.state.in_(_UNFINISHED), JobRow.created_at < before)
    named = count(_old(before), or_(_named(), JobRow.id.in_(keep)))
    return JobCounts(count(), old + unfinished, unfinished, named)


def remove_audit(session: Session, before: datetime, most: int) -> int:
    """The oldest records before a moment, with their endings; returns how many."""
    oldest = select(AuditRow.key).where(AuditRow.at < before).order_by(AuditRow.at).limit(most)
    keys: Sequence[str] = session.scalars(oldest).all()
    _delete(session, AuditEndRow.key.in_(keys), AuditEndRow)
    _delete(session, AuditRow.key.in_(keys), AuditRow)
    return len(keys)


def count_audit(session: Session, before: datetime) -> tuple[int, int]:
    """How many records there are, and how many are from before a moment."""
    rows = select(func.count()).select_from(AuditRow)
    return session.scalar(rows) or 0, session.scalar(rows.where(AuditRow.at < before)) or 0


def _old(before: datetime) -> ColumnElement[bool]:
    # A job is made before it ends: the index of created_at leads to those that may be old enough.
    ended = (JobRow.created_at < before, JobRow.ended_at < before)
    return and_(*ended, JobRow.settled.is_(True), JobRow.state.in_(_ENDED))


def _named() -> ColumnElement[bool]:
    return or_(*(exists().where(column == JobRow.id) for column in names_of_jobs()))


def _delete(session: Session, which: ColumnElement[bool], rows: type[Base]) -> None:
    session.execute(delete(rows).where(which), execution_options={"synchronize_session": False})
