"""One run of a task: in this process alone, or agreed upon with other processes in the database."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Protocol

from multisite.domain import fence
from multisite.domain.errors import MultisiteError, Unavailable
from multisite.domain.periodic import TaskState
from multisite.periodic.lease import Lease, LeaseLost
from multisite.periodic.task import Mode, Task
from multisite.store.database import Database
from multisite.store.failures import describe, is_transient
from multisite.store.schedules import KIND, ScheduleStore

LOG = logging.getLogger(__name__)

AFTER_TROUBLE = 5.0
"""Seconds before a task is tried again whose run failed, or for which the database did not answer."""
RECORD_SECONDS = 15.0
"""How often a continuous task's row is written while nothing changes."""


class Run(Protocol):
    """Runs of one task in this process, one after another.  ``due``: when, by the monotonic clock."""

    due: float

    def once(self) -> None:
        """Run the task if it may be run, and reckon ``due`` anew; never raises."""


def attempt(task: Task) -> str | None:
    """Run it; what went wrong, in one line.  LeaseLost passes: somebody else runs it now."""
    try:
        task.run()
    except LeaseLost:
        raise
    except MultisiteError as error:
        LOG.warning("%s: %s", task.name, error)
        return str(error)
    except Exception as error:  # the loop must outlive whatever befalls one run
        LOG.exception("%s failed; it is run again", task.name)
        return f"{type(error).__name__}: {error}"[:500]
    return None


def following(task: Task, started: datetime, finished: datetime, error: str | None) -> datetime:
    """The next tick; not at once after a failure."""
    tick = task.schedule.after(started, finished)
    return tick if error is None else max(tick, finished + timedelta(seconds=AFTER_TROUBLE))


class LocalRun:
    """Needs nothing but this process: its schedule is in memory, a new process begins at once."""

    def __init__(self, task: Task) -> None:
        present = datetime.now(UTC)
        self._task = task
        self.due = time.monotonic() + (task.schedule.first(present) - present).total_seconds()

    def once(self) -> None:
        begun, started = time.monotonic(), datetime.now(UTC)
        error = attempt(self._task)
        finished = started + timedelta(seconds=time.monotonic() - begun)
        self.due = begun + (following(self._task, started, finished, error) - started).total_seconds()


class SharedRun(ABC):
    """What the sorts of tasks have in common that processes share: a lease, and a database that may be away."""

    def __init__(self, task: Task, database: Database, holder: str) -> None:
        self.task, self.due = task, time.monotonic()
        self._database, self._holder = database, holder
        self._store = ScheduleStore(database, holder)
        self._registered = False
        self._lease: Lease | None = None

    def once(self) -> None:
        try:
            self._once()
        except Exception as error:
            if not is_transient(error) and not isinstance(error, MultisiteError):
                LOG.exception("%s could not be run", self.task.name)
            else:  # the database is away, or somebody else has taken over
                LOG.warning("%s is put off: %s", self.task.name, describe(error))
            self._put_off()

    def _once(self) -> None:
        if not self._registered:
            self._store.register(self.task.name, str(self.task.schedule), self.task.schedule.first)
            self._registered = True
        if self._lease is None:
            self._lease = Lease.take(self._database, f"{KIND} {self.task.name}", self._holder)
        if self._lease is None:  # somebody else has it
            self._put_off()
            return
        try:
            self._lease.check()
            with fence.around(self._lease):
                self._run()
        except LeaseLost:
            self._lease = None
            raise

    @abstractmethod
    def _run(self) -> None:
        """Under the lease: run the task if it is due, and reckon ``due`` anew."""

    def _put_off(self) -> None:
        self.due = time.monotonic() + AFTER_TROUBLE

    @abstractmethod
    def seen(self, state: TaskState, present: datetime) -> None:
        """What the row says, and the database's clock."""

    def renew(self) -> None:
        """From time to time while it is held: a run, or the pause between two, may take longer than the lease."""
        if (lease := self._lease) is not None:
            lease.check()

    def release(self) -> None:
        """This process ends: let another one go on at once."""
        if (lease := self._lease) is not None:
            self._lease = None
            lease.give_back()


class ContinuousRun(SharedRun):
    """Keeps the lease from run to run; the row is for operators."""

    _paused = False
    _written: tuple[float, str | None] = (float("-inf"), None)

    def _run(self) -> None:
        if self._paused:
            self._put_off()
            return
        begun, started = time.monotonic(), datetime.now(UTC)
        error = attempt(self.task)
        finished = started + timedelta(seconds=time.monotonic() - begun)
        tick = following(self.task, started, finished, error)
        self.due = begun + (tick - started).total_seconds()
        at, before = self._written
        if error != before or time.monotonic() - at >= RECORD_SECONDS:
            self._store.record(self.task.name, started, tick, error)
            self._written = time.monotonic(), error

    def seen(self, state: TaskState, present: datetime) -> None:  # noqa: ARG002
        self._paused = state.paused


class TickRun(SharedRun):
    """Every tick once: begun and ended in its row, under a lease that is given back with the end."""

    def __init__(self, task: Task, database: Database, holder: str, ended: threading.Event) -> None:
        super().__init__(task, database, holder)
        self._ended = ended

    def _run(self) -> None:
        tick = self._store.begin(self.task.name, self.task.schedule.is_due)
        if tick is None:
            self._put_off()
            self.release()
            return
        present, following_tick = self._atomic() if self.task.mode is Mode.ATOMIC else self._ordinary()
        self.due = time.monotonic() + (following_tick - present).total_seconds()
        self._lease = None

    def _ordinary(self) -> tuple[datetime, datetime]:
        error = attempt(self.task)
        return self._surely_finished(error)

    def _atomic(self) -> tuple[datetime, datetime]:
        try:
            with self._database.session():
                self.task.run()
                return self._finish(None)
        except Exception as failure:
            if is_transient(failure) or isinstance(failure, Unavailable):
                raise
            LOG.exception("%s failed; nothing of it was written", self.task.name)
            return self._surely_finished(f"{type(failure).__name__}: {failure}"[:500])

    def _finish(self, error: str | None) -> tuple[datetime, datetime]:
        def next_tick(started: datetime, finished: datetime) -> datetime:
            return following(self.task, started, finished, error)

        return self._store.finish(self.task.name, next_tick, error)

    def _surely_finished(self, error: str | None) -> tuple[datetime, datetime]:
        """What was done is noted as soon as the database takes it: otherwise it would be done again."""
        while True:
            try:
                return self._finish(error)
            except Exception as failure:
                if not is_transient(failure) or self._ended.wait(1.0):
                    raise

    def seen(self, state: TaskState, present: datetime) -> None:
        if self._lease is None:
            wait = ((state.tick_at or state.next_at) - present).total_seconds()
            self.due = time.monotonic() + (wait if not state.paused else max(wait, AFTER_TROUBLE))
