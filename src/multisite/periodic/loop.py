"""The loop of a process: runs its periodic tasks when they are due, each in a thread of its own, none twice at a time.

loop = Loop([Task("audit", Interval(60), look)])                    # this process alone, no database
loop = Loop([Task("nightly", Cron("30 2 * * *"), run, Mode.TICKS)], database)
loop.start(); ...; loop.wake("audit"); ...; loop.stop()
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable

from multisite.periodic.runs import ContinuousRun, LocalRun, Run, SharedRun, TickRun
from multisite.periodic.task import Mode, Task
from multisite.store.database import Database
from multisite.store.schedules import ScheduleStore

LOG = logging.getLogger(__name__)

POLL = 2.0
"""Seconds between two readings of the rows: how late another process's pause, or its death, is noticed."""


class Loop:
    """``tasks`` that are not LOCAL need the ``database``.  None is begun while ``why_rest`` gives a reason."""

    def __init__(
        self,
        tasks: Iterable[Task],
        database: Database | None = None,
        why_rest: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._why_rest = why_rest
        self._database, self._holder = database, uuid.uuid4().hex
        self._ended, self._changed = threading.Event(), threading.Event()
        self._runs = {task.name: (task, self._made(task)) for task in tasks}
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._woken: set[str] = set()
        self._threads: list[threading.Thread] = []

    def _made(self, task: Task) -> Run:
        if task.mode is Mode.LOCAL:
            return LocalRun(task)
        if self._database is None:
            raise ValueError(f"{task.name}: a task that processes share needs a database")
        if task.mode is Mode.CONTINUOUS:
            return ContinuousRun(task, self._database, self._holder)
        return TickRun(task, self._database, self._holder, self._ended)

    def start(self) -> None:
        """Begin; a loop without tasks does nothing."""
        if self._threads or not self._runs:
            return
        targets = [self._run]
        if shared := self._shared():
            targets.append(self._keep_leases)
            database = self._database
            assert database is not None
            if (
                database.is_sqlite
            ):  # who had them before was this process's predecessor, and may have been killed
                ScheduleStore(database).forget_leases()
            LOG.info("periodic: %s", ", ".join(run.task.name for run in shared))
        self._threads = [threading.Thread(target=t, name="periodic", daemon=True) for t in targets]
        for thread in self._threads:
            thread.start()

    def wake(self, name: str) -> None:
        """Run a task now, or again when it is being run; no effect on one that another process runs."""
        with self._lock:
            self._woken.add(name)
        self._changed.set()

    def stop(self, timeout: float = 10.0) -> None:
        """End after the runs under way, and let another process go on at once."""
        self._ended.set()
        self._changed.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        while self._running and time.monotonic() < deadline:
            time.sleep(0.01)
        if not self._threads:
            return
        for task, run in self._runs.values():
            if task.name in self._running:
                LOG.warning("%s is still being run: its lease ends by itself", task.name)
                continue
            try:
                task.released()
                if isinstance(run, SharedRun):
                    run.release()
            except Exception:
                LOG.warning("%s: its leases could not be given back", task.name, exc_info=True)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._changed.clear()
            if self._why_rest() is not None:
                self._changed.wait(POLL)
                continue
            with self._lock:
                due = [name for name in self._runs if name not in self._running and self._is_due(name)]
                self._running.update(due)
                self._woken.difference_update(due)
            for name in due:
                threading.Thread(target=self._once, args=(name,), name=name, daemon=True).start()
            waits = [run.due for task, run in self._runs.values() if task.name not in self._running]
            self._changed.wait(max(0.0, min([POLL, *(due - time.monotonic() for due in waits)])))

    def _is_due(self, name: str) -> bool:
        return name in self._woken or self._runs[name][1].due <= time.monotonic()

    def _once(self, name: str) -> None:
        try:
            self._runs[name][1].once()
        finally:
            with self._lock:
                self._running.discard(name)
            self._changed.set()

    def _shared(self) -> list[SharedRun]:
        return [run for _, run in self._runs.values() if isinstance(run, SharedRun)]

    def _keep_leases(self) -> None:
        assert self._database is not None
        store, shared = ScheduleStore(self._database), {run.task.name: run for run in self._shared()}
        while not self._ended.wait(POLL):
            try:
                for run in shared.values():
                    run.renew()
                present, states = store.read()
                for state in states:
                    if state.name in shared:
                        shared[state.name].seen(state, present)
            except (
                Exception
            ) as error:  # the database is away, or a lease was lost: the runs notice and say so
                LOG.debug("periodic: %s", error)
            self._changed.set()
