"""Schedules of periodic tasks: which tick is next, which one is being run, how the last one ended.

A task's lease (``leases.py``, "task <name>") says who may run it; every change of a row that a run makes checks the
lease in the same transaction.  Moments are those of ``leases.moment``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from multisite.domain.errors import NotFound, Unavailable
from multisite.domain.periodic import TaskState
from multisite.store import leases
from multisite.store.database import Database
from multisite.store.models import LeaseRow, ScheduleRow

KIND = "task"
Next = Callable[[datetime, datetime], datetime]
"""From start and end of a run to the next tick."""


class ScheduleStore:
    """``holder``: whoever runs tasks in this process."""

    def __init__(self, database: Database, holder: str = "") -> None:
        self._database, self._holder = database, holder

    def register(self, name: str, schedule: str, first: Callable[[datetime], datetime]) -> None:
        """Make the task's row unless it is there; another ``schedule`` than the row's begins anew."""
        try:
            with self._database.session() as session:
                row = session.get(ScheduleRow, name, with_for_update=True)
                if row is None:
                    present = leases.moment(session)
                    session.add(
                        ScheduleRow(name=name, schedule=schedule, next_at=first(present), paused=False)
                    )
                    session.flush()
                elif row.schedule != schedule:
                    row.schedule, row.next_at = schedule, first(leases.moment(session))
        except IntegrityError:  # another process was faster: it made the same row
            return

    def read(self) -> tuple[datetime, list[TaskState]]:
        """The present moment and every task, by name.  One query, however many there are."""
        with self._database.session(read_only=True) as session:
            rows = session.scalars(select(ScheduleRow).order_by(ScheduleRow.name))
            return leases.moment(session), [_state(row) for row in rows]

    def pause(self, name: str, paused: bool = True) -> TaskState:
        """No further tick begins until it goes on; one that is being run ends.  NotFound."""
        with self._database.session() as session:
            row = session.get(ScheduleRow, name, with_for_update=True)
            if row is None:
                raise NotFound(f"periodic task {name!r}: there is none of this name; see the list of tasks")
            row.paused = paused
            return _state(row)

    def begin(self, name: str, is_due: Callable[[datetime, datetime], bool]) -> datetime | None:
        """Note that the holder of the lease begins the tick that is due, or the one whose runner died.

        None when none is to be run now.
        """
        with self._database.session() as session:
            row, present = self._owned(session, name)
            if row.paused or (row.tick_at is None and not is_due(row.next_at, present)):
                return None
            row.tick_at = row.tick_at or row.next_at
            row.started_at = present
            return row.tick_at

    def finish(self, name: str, next_tick: Next, error: str | None) -> tuple[datetime, datetime]:
        """The tick was run to its end: it never runs again, and the lease is free.  Unavailable when it was lost.

        Returns the present moment and the next tick.
        """
        with self._database.session() as session:
            row, present = self._owned(session, name)
            row.next_at = next_tick(row.started_at or present, present)
            row.tick_at, row.finished_at, row.error = None, present, error
            session.delete(session.get_one(LeaseRow, f"{KIND} {name}"))
            return present, row.next_at

    def record(self, name: str, started: datetime, next_at: datetime, error: str | None) -> None:
        """How a run went whose tick is not noted beforehand."""
        with self._database.session() as session:
            row, present = self._owned(session, name)
            row.started_at, row.finished_at, row.next_at, row.error = started, present, next_at, error

    def forget_leases(self) -> None:
        """Of all tasks: for a process that is the only one (SQLite), whose predecessor may have been killed."""
        with self._database.session() as session:
            for lease in session.scalars(select(LeaseRow).where(LeaseRow.name.startswith(f"{KIND} "))):
                session.delete(lease)

    def _owned(self, session: Session, name: str) -> tuple[ScheduleRow, datetime]:
        """The row, locked; Unavailable unless the lease is the holder's."""
        if not leases.held(session, f"{KIND} {name}", self._holder):
            raise Unavailable(f"periodic task {name!r}: another process may have taken it over")
        return session.get_one(ScheduleRow, name, with_for_update=True), leases.moment(session)


def _state(row: ScheduleRow) -> TaskState:
    return TaskState(
        row.name,
        row.schedule,
        row.next_at,
        row.paused,
        row.tick_at,
        row.started_at,
        row.finished_at,
        row.error,
    )
