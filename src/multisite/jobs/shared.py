"""Several workers on one database server: each takes free jobs, and what a dead one leaves.

Who owns a job is in its row and nowhere else.  (DBOS, which recovers the embedded engine's runs, carries on with
those of another process when it is told which one is dead; to find that out, and to take its right away, is the
work of the leases, and beside them its own state would be a second truth.)
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from multisite.jobs.lease import LEASE_SECONDS, Lease, Ownership
from multisite.jobs.records import Records
from multisite.store import workers
from multisite.store.database import Database
from multisite.store.failures import describe, is_transient
from multisite.store.jobs import note

log = logging.getLogger("multisite.jobs")

CarryOut = Callable[[str, int, Ownership], Awaitable[bool]]
"""Carry out a run of a job; False when it was abandoned because the worker stops."""
LOOK_SECONDS = 0.5
AT_ONCE = 8
"""Jobs taken at a time, so that a burst is shared out among the workers."""


@dataclass(frozen=True)
class Sharing:
    """How a process shares work with others.  ``carry_out``: False for one that only accepts jobs."""

    name: str
    """Shown to operators; need not be unique."""
    carry_out: bool = True
    lease_seconds: float = LEASE_SECONDS
    jobs: int = 100
    """Jobs carried out at the same time; most of them wait for sites."""


class Shared:
    """Takes jobs while it has a lease; begins a new life when it has lost one.  See ``durable.Durable``."""

    def __init__(self, database: Database, sharing: Sharing, cancelled: Callable[[str, int], None]) -> None:
        self._database = database
        self._sharing = sharing
        self._cancelled = cancelled
        self._carry_out: CarryOut | None = None
        self._lease: Lease | None = None
        self._in_hand: dict[tuple[str, int], str] = {}
        self._nudge = threading.Event()
        self._closed = False
        self._looker = threading.Thread(target=self._look_for_ever, name="multisite-take", daemon=True)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="multisite-jobs", daemon=True)

    def launch(self, carry_out: CarryOut) -> None:
        """Begin to take jobs; raises what the database raises."""
        if not self._sharing.carry_out:
            return
        self._carry_out = carry_out
        self._lease = self._new_life()
        self._thread.start()
        self._looker.start()

    def start(self, job_id: str, run: int) -> None:  # noqa: ARG002 - the row says it; this only saves waiting
        self._nudge.set()

    def shutdown(self, *, idle: bool) -> None:
        """Take no more; ``idle``: nothing runs any more, so others may have the rest at once.

        Else the lease is left to expire, and steps that still run find it lost at their next outside call.
        """
        self._closed = True
        self._nudge.set()
        if self._looker.is_alive():
            self._looker.join(10)
        if self._lease is not None:
            self._lease.lose()
            if idle:
                try:
                    self._lease.end()
                except Exception as error:
                    log.warning(
                        "worker %s: its lease is left to expire: %s", self._lease.worker, describe(error)
                    )
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(10)

    def unlock(self) -> None:
        """Others need not wait for this process: its lease keeps them apart."""

    def recover(self, records: Records) -> None:
        """Nothing to do: what was left is in the rows, and found there."""

    def _new_life(self) -> Lease:
        lease = Lease(self._database, self._sharing.name, self._sharing.lease_seconds, self._cancelled)
        lease.begin()
        log.info("worker %s takes jobs", lease.worker)
        return lease

    def _look_for_ever(self) -> None:
        while not self._closed:
            try:
                more = self._look()
            except Exception as error:
                if is_transient(error):
                    log.warning("looking for jobs: the database cannot be used: %s", describe(error))
                else:
                    log.exception("looking for jobs failed; trying again")
                more = False
            self._nudge.wait(0.02 if more else LOOK_SECONDS)
            self._nudge.clear()

    def _look(self) -> bool:
        """Once: bury the dead, take jobs, begin with what is ours and not in hand; True when there is more."""
        assert self._lease is not None
        if self._lease.lost:
            self._lease = self._new_life()
        lease = self._lease
        if lease.steady:
            self._reclaim_expired_workers()
        mine = sum(worker == lease.worker for worker in list(self._in_hand.values()))
        wanted = min(AT_ONCE, self._sharing.jobs - mine)
        with self._database.session() as session:
            if wanted > 0 and not workers.take(session, lease.worker, wanted):
                return False  # the lease is gone; its thread will notice
            held = workers.held(session, lease.worker)
        new = [key for key in held if self._in_hand.get(key) != lease.worker]
        for job_id, run in new:
            self._in_hand[job_id, run] = lease.worker
            asyncio.run_coroutine_threadsafe(self._one(job_id, run, lease), self.loop)
        return len(new) >= AT_ONCE

    async def _one(self, job_id: str, run: int, lease: Lease) -> None:
        assert self._carry_out is not None
        try:
            await self._carry_out(job_id, run, lease)
        finally:
            if self._in_hand.get((job_id, run)) == lease.worker:  # else a later life has it
                del self._in_hand[job_id, run]
            self._nudge.set()

    def _reclaim_expired_workers(self) -> None:
        with self._database.session(read_only=True) as session:
            dead = workers.expired(session)
        for worker, sessions in dead:
            self._end_sessions(worker, sessions)
            with self._database.session() as session:
                jobs = workers.retire(session, worker, only_expired=True)
                for job_id in jobs or ():
                    note(
                        session,
                        job_id,
                        "multisite",
                        f"worker {worker} is gone: another one goes on",
                        None,
                        {},
                    )
            if jobs is not None:
                log.warning("worker %s is gone; it had %d jobs", worker, len(jobs))

    def _end_sessions(self, worker: str, sessions: str) -> None:
        try:
            with self._database.session() as session:
                workers.end_sessions(session, sessions)
        except Exception as error:  # no right to: then the server does it, when they have idled long enough
            log.warning("the sessions of worker %s could not be ended: %s", worker, describe(error))


async def _cancel_all() -> None:
    mine = asyncio.current_task()
    tasks: list[asyncio.Task[Any]] = [task for task in asyncio.all_tasks() if task is not mine]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
