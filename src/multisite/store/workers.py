"""Rows of workers, their leases and slots, on a database server (PostgreSQL).  Every moment is the database's.

An embedded database has one process and needs none of this but ``cancelled``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, column, delete, func, insert, select, table, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.orm import Session

from multisite.store.models import JobRow, SlotRow, WorkerRow

_BLIND = {"synchronize_session": False}


def enrol(session: Session, worker: str, sessions: str, lease: float) -> None:
    """A new life begins, with a lease of so many seconds."""
    moments = {"started_at": _in(0), "seen_at": _in(0), "expires_at": _in(lease)}
    session.execute(insert(WorkerRow).values(id=worker, sessions=sessions, **moments))


def renew(session: Session, worker: str, lease: float) -> bool:
    """Lengthen the lease; False when somebody found it expired: what the worker had is gone.

    A lease that has expired unnoticed is as good as before: nobody has taken anything from it.
    """
    seen = {"seen_at": _in(0), "expires_at": _in(lease)}
    mine = update(WorkerRow).where(WorkerRow.id == worker).values(**seen)
    return session.scalar(mine.returning(WorkerRow.id), execution_options=_BLIND) is not None


def expired(session: Session) -> list[tuple[str, str]]:
    """Workers whose lease is over, and the name of their sessions."""
    over = select(WorkerRow.id, WorkerRow.sessions).where(WorkerRow.expires_at < func.clock_timestamp())
    return [(row.id, row.sessions) for row in session.execute(over)]


def end_sessions(session: Session, sessions: str) -> None:
    """End them on the server, with the locks they hold: of a frozen process one would wait for the other, and
    whoever takes over for all of them.
    """
    activity = table("pg_stat_activity", column("pid"), column("application_name"))
    mine = (activity.c.application_name == sessions, activity.c.pid != func.pg_backend_pid())
    session.execute(select(func.pg_terminate_backend(activity.c.pid)).where(*mine)).all()


def retire(session: Session, worker: str, *, only_expired: bool) -> Sequence[str] | None:
    """End a life: its slots and jobs are free, whatever it still writes is void.

    Returns the ids of its jobs; None when the lease was renewed or somebody else was faster.
    """
    over = delete(WorkerRow).where(WorkerRow.id == worker)
    if only_expired:
        over = over.where(WorkerRow.expires_at < func.clock_timestamp())
    if session.scalar(over.returning(WorkerRow.id), execution_options=_BLIND) is None:
        return None
    freed = update(JobRow).where(JobRow.worker == worker, JobRow.settled.is_(False))
    freed = freed.values(worker=None, epoch=JobRow.epoch + 1)
    return session.scalars(freed.returning(JobRow.id), execution_options=_BLIND).all()


def cancelled(session: Session, worker: str) -> list[tuple[str, int]]:
    """Id and run of every job of the worker that an operator wants stopped."""
    mine = (JobRow.worker == worker, JobRow.settled.is_(False), JobRow.cancel_requested.is_(True))
    return [(row.id, row.run) for row in session.execute(select(JobRow.id, JobRow.run).where(*mine))]


def take_slot(session: Session, name: str, count: int, worker: str, job_id: str, step: str) -> int | None:
    """Take one of ``count`` slots of a limit; its number, None when all are held.

    IntegrityError when the worker's lease is gone.
    """
    holder = (SlotRow.worker, SlotRow.job_id, SlotRow.step)
    rows = session.execute(select(SlotRow.number, *holder).where(SlotRow.name == name))
    taken = {row.number: (row.worker, row.job_id, row.step) for row in rows}
    for number in range(count):
        if taken.get(number) == (worker, job_id, step):
            return number  # taken by a transaction whose answer was lost
    for number in range(count):
        if number not in taken:
            values = {"name": name, "number": number, "worker": worker, "job_id": job_id, "step": step}
            mine = insert_or(SlotRow).values(**values).on_conflict_do_nothing(constraint="pk_slot")
            if session.scalar(mine.returning(SlotRow.number)) is not None:
                return number
    return None


def give_back(session: Session, name: str, number: int, worker: str) -> None:
    """Let go of a slot; harmless when it is gone already."""
    mine = (SlotRow.name == name, SlotRow.number == number, SlotRow.worker == worker)
    session.execute(delete(SlotRow).where(*mine))


def _in(seconds: float) -> ColumnElement[Any]:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
