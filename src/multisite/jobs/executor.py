"""Takes runs of jobs from the queue and carries them out: one executor per process, alone or among several.

DBOS hands each run to one executor and keeps it PENDING until it ends.  On SQLite a lock on the file keeps other
processes out.  On a database server every life of a process is an executor with a lease: who finds it expired
ends it in one transaction with its hold on jobs and queue.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import IO

from dbos import DBOS
from sqlalchemy import select

from multisite.domain.errors import Conflict, Invalid
from multisite.jobs import dbos_calls
from multisite.jobs.lease import LEASE_SECONDS, Ownership, WorkerLease
from multisite.jobs.records import Records
from multisite.store import workers
from multisite.store.database import Database
from multisite.store.failures import describe, is_transient
from multisite.store.jobs import note
from multisite.store.models import WorkerRow

log = logging.getLogger("multisite.jobs")

CarryOut = Callable[[str, int, Ownership, str], Awaitable[bool]]
"""Carry out a run of a job, taken under DBOS's token; False when it was abandoned for somebody to go on with."""
WATCH_SECONDS = 0.5
SWEEP_SECONDS = 4.0

_run: Callable[[str, int], Awaitable[None]] | None = None  # DBOS is one per process: so is the executor


@dataclass(frozen=True)
class Sharing:
    """How a process shares work with others.  ``carry_out``: False for one that only accepts jobs."""

    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    """Shown to operators; need not be unique."""
    carry_out: bool = True
    lease_seconds: float = LEASE_SECONDS
    jobs: int = 16
    """Jobs carried out at the same time.  More are fewer left for others: who looks first takes so many."""


@DBOS.workflow(name=dbos_calls.WORKFLOW, max_recovery_attempts=None)
async def _workflow(job_id: str, run: int) -> None:
    if _run is not None:
        await _run(job_id, run)


class Executor:
    """DBOS; everything of the engine that is asynchronous runs in its event loop, of which each life has another.

    ``before_life`` is called when it has the right to act, before it takes any run.
    """

    def __init__(
        self, database: Database, sharing: Sharing, records: Records, carry_out: CarryOut,
        before_life: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        if database.is_sqlite and not sharing.carry_out:
            raise Invalid(
                f"jobs: the database {database.path} is this process's alone: it has to carry out the jobs too"
            )
        self._database, self._sharing, self._records = database, sharing, records
        self._carry_out, self._before_life = carry_out, before_life
        self.cancelled: frozenset[tuple[str, int]] = frozenset()
        """Id and run of every job of this process that an operator wants stopped."""
        self._ownership = Ownership(sharing.name)
        self._executor = dbos_calls.APPLICATION  # as DBOS knows it: on a server each life is another
        self._lock: IO[str] | None = None
        self._in_hand: set[str] = set()
        self._suspects: set[tuple[str, str | None]] = set()
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch_for_ever, name="multisite-watch", daemon=True)

    def launch(self) -> None:
        """Begin to take runs, first of all those left unfinished; raises what the database raises."""
        global _run
        if not self._sharing.carry_out:
            return
        dbos_calls.check_environment(self._database)
        if _run is not None:
            raise Conflict("jobs: an engine is already running in this process")
        self._lock = _lock(self._database)
        _run = self._one
        try:
            self._begin_life()
            self._sweep()
        except BaseException:
            self.shutdown(idle=True)
            self.unlock()
            raise
        self._watcher.start()

    def note_orderly_stop(self) -> None:
        """This process ends, and no job of it is the cause."""
        try:
            self._records.reset_claims(self._ownership.worker)
        except Exception as error:
            log.warning("jobs: it could not be noted that this process stops: %s", describe(error))

    def shutdown(self, *, idle: bool) -> None:
        """Take no more; ``idle``: nothing runs any more, so others may have the rest at once.

        Else the lease is left to expire, and steps that still run find it lost at their next outside call.
        """
        global _run
        self._closed.set()
        if self._watcher.is_alive():
            self._watcher.join(10)
        if _run == self._one:
            dbos_calls.destroy()
            _run = None
        if isinstance(self._ownership, WorkerLease):
            self._ownership.lose()
            if idle:
                self._retire(self._ownership)

    def unlock(self) -> None:
        """Let another engine work on this SQLite file: not before the last step of this one has ended."""
        if self._lock is not None:
            self._lock.close()

    def _begin_life(self) -> None:
        """A new executor: whatever an earlier life of this process still writes is void.

        What that has not ended stays PENDING: the next executor takes it.
        """
        dbos_calls.destroy()
        if not self._database.is_sqlite:
            lease = WorkerLease(self._database, self._sharing.name, self._sharing.lease_seconds)
            lease.begin()
            self._ownership, self._executor = lease, lease.worker
        self._before_life()
        try:
            dbos_calls.launch(self._database, self._executor, self._sharing.jobs)
        except BaseException:
            if isinstance(self._ownership, WorkerLease):
                self._ownership.lose()
            raise
        log.info("worker %s takes jobs", self._ownership.worker)

    def _retire(self, lease: WorkerLease) -> None:
        try:
            self._free(lease.worker, only_expired=False)
        except Exception as error:
            log.warning("worker %s: its lease is left to expire: %s", lease.worker, describe(error))

    def has(self, job_id: str) -> bool:
        """Whether a run of the job is carried out here."""
        return any(workflow.startswith(job_id) for workflow in self._in_hand.copy())

    async def _one(self, job_id: str, run: int) -> None:
        workflow = dbos_calls.workflow_id(job_id, run)
        self._in_hand.add(workflow)
        try:
            if not await self._carry_out(job_id, run, self._ownership, dbos_calls.current_owner()):
                # What is abandoned never ends, so that DBOS keeps it for the next executor.
                await asyncio.Event().wait()
        finally:
            self._in_hand.discard(workflow)

    def _watch_for_ever(self) -> None:
        swept = time.monotonic()
        while not self._closed.wait(WATCH_SECONDS):
            try:
                if self._ownership.lost:
                    self._begin_life()
                self._poll()
                if time.monotonic() - swept > SWEEP_SECONDS:
                    self._sweep()
                    swept = time.monotonic()
            except Exception as error:
                if is_transient(error):
                    log.warning("looking for jobs: the database cannot be used: %s", describe(error))
                else:
                    log.exception("looking for jobs failed; trying again")

    def _poll(self) -> None:
        """Learn which jobs to stop, and reclaim the workers whose lease is over."""
        mine = self._ownership
        with self._database.session(read_only=True) as session:
            self.cancelled = frozenset(workers.cancelled(session, mine.worker))
            steady = isinstance(mine, WorkerLease) and mine.steady
            dead = workers.expired(session) if steady else []
        for worker, sessions in dead:
            self._end_sessions(worker, sessions)
            jobs = self._free(worker, only_expired=True)
            if jobs is not None:
                log.warning("worker %s is gone; it had %d jobs", worker, len(jobs))

    def _free(self, worker: str, *, only_expired: bool) -> list[str] | None:
        """End a life and hand over what it had, in one transaction; None when it is not over."""
        with self._database.session() as session:
            jobs = workers.retire(session, worker, only_expired=only_expired)
            if jobs is None:
                return None
            dbos_calls.hand_over(session, select(WorkerRow.id))
            for job_id in jobs if only_expired else ():
                note(session, job_id, "multisite", f"worker {worker} is gone: another one goes on", None, {})
            return list(jobs)

    def _end_sessions(self, worker: str, sessions: str) -> None:
        try:
            with self._database.session() as session:
                workers.end_sessions(session, sessions)
        except Exception as error:  # no right to: then the server does it, when they have idled long enough
            log.warning("the sessions of worker %s could not be ended: %s", worker, describe(error))

    def _sweep(self) -> None:
        """Give back what a transaction took whose answer was lost, or that ended after its executor; put in what the
        queue does not know: a job of an older release, or one whose workflow ended without settling it.
        """
        with self._database.session(read_only=True) as session:
            taken = dbos_calls.claimed(session, self._executor).items()
        idle = {(workflow, owner) for workflow, owner in taken if workflow not in self._in_hand}
        lost, self._suspects = idle & self._suspects, idle
        missing = self._records.not_queued()
        if lost or not self._database.is_sqlite:
            with self._database.session() as session:
                for workflow, owner in lost:
                    log.warning("run %s was taken and not begun: taking it again", workflow)
                    dbos_calls.give_back(session, workflow, owner)
                if not self._database.is_sqlite:
                    dbos_calls.hand_over(session, select(WorkerRow.id))
        for job_id, run in missing:
            log.info("job %s was accepted but nobody carries it out: starting it", job_id)
            self._records.queue_again(job_id, run)


def _lock(database: Database) -> IO[str] | None:
    """Two engines on one SQLite file would both carry out its jobs; the lock ends with the process."""
    if database.path is None:
        return None
    path = database.path.with_name(database.path.name + ".lock")
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise Conflict(
            f"{path}: another process (pid {owner}) is carrying out the jobs of this database; stop it first"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
