"""The right to act: of the only process of an embedded database, or by a lease among several.

A lease is a row with an expiry in the database's own time, renewed every ``HEARTBEAT`` seconds.  Its holder
counts by a clock of its own that also runs while it is frozen or suspended, from before it asked for the
renewal, and stops ``MARGIN`` earlier.  In doubt it does not act: it waits until it is renewed, or learns
that somebody else has taken over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid

from multisite.jobs.records import Abandoned
from multisite.store import workers
from multisite.store.database import Database
from multisite.store.failures import describe

log = logging.getLogger("multisite.jobs")

HEARTBEAT = 1.0
MARGIN = 1.0
"""Seconds the holder gives up earlier than the database: more than two clocks drift apart within a lease."""
LEASE_SECONDS = 6.0
LATE = 3.0
"""Seconds between two renewals that an operator should know of: is the machine or the database overloaded?"""


class Ownership:
    """Of one life of a worker: once ``lost``, somebody else may act, and it is lost for good.

    This one is of the only process there can be: a lock on the file keeps all others out, also while it is frozen.
    """

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.lost = False
        self.turn = asyncio.Lock()
        """Of one suspect at a time (``crashes``): each life has an event loop of its own."""

    def check(self) -> None:
        """Called before an outside effect: wait while in doubt, Abandoned when lost."""


def boot_clock() -> float:
    """Seconds that pass even while the process is stopped or the machine sleeps; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class WorkerLease(Ownership):
    """One life of a worker among several on a database server, kept by a thread of its own."""

    def __init__(self, database: Database, name: str, seconds: float) -> None:
        super().__init__(f"{name}-{uuid.uuid4().hex[:8]}")
        self._database = database
        self._seconds = seconds
        self._changed = threading.Condition()
        self._good_until = self._steady_since = self._asked = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="multisite-lease", daemon=True)

    @property
    def steady(self) -> bool:
        """Renewed in time for half a lease.  After an outage of the database everybody is late: until all
        had the time to renew, nobody is declared dead."""
        now = boot_clock()
        return now < self._good_until and now - self._steady_since >= self._seconds / 2

    def begin(self) -> None:
        """Enrol; raises what the database raises."""
        asked = boot_clock()
        with self._database.session() as session:
            workers.enrol(session, self.worker, self._database.sessions, self._seconds)
        self._renewed(asked)
        self._thread.start()

    def check(self) -> None:
        with self._changed:
            while not self.lost and boot_clock() >= self._good_until:
                self._changed.wait(HEARTBEAT)
            if self.lost:
                raise Abandoned(f"worker {self.worker} has lost its lease")

    def lose(self) -> None:
        """From now on nothing of this life may act."""
        with self._changed:
            self.lost = True
            self._ended.set()
            self._changed.notify_all()

    def _keep(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            asked = boot_clock()
            try:
                with self._database.session() as session:
                    kept = workers.renew(session, self.worker, self._seconds)
            except Exception as error:
                log.warning("worker %s: its lease could not be renewed: %s", self.worker, describe(error))
                continue
            if not kept:
                log.error("worker %s: its lease was over, others take its jobs; stopping them", self.worker)
                self.lose()
                return
            self._renewed(asked)

    def _renewed(self, asked: float) -> None:
        with self._changed:
            late = asked - self._asked
            if late > LATE:  # others may have been late too, and have to renew before they are declared dead
                self._steady_since = asked
                if self._asked:
                    log.warning("worker %s: its lease was renewed after %.1f s only", self.worker, late)
            self._asked = asked
            self._good_until = asked + self._seconds - MARGIN
            self._changed.notify_all()
