"""One process at a time acts on a thing: a lease, and the fence that stops whoever has lost it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from multisite.domain import fence
from multisite.domain.errors import Unavailable
from multisite.store import leases
from multisite.store.database import Database

SECONDS = 30.0
"""So long a thing waits for a process that died while it had it."""
MARGIN = 5.0
"""So much earlier the holder stops acting: a request in flight ends before somebody else begins."""


class LeaseLost(Unavailable):
    """Somebody else may act on the thing by now."""


class Lease:
    """Held; asked before every request to a site, and lengthened then when it is half over."""

    def __init__(
        self, database: Database, name: str, holder: str, *, seconds: float, outer: fence.Fence | None = None
    ) -> None:
        self._database, self._name, self._holder, self._seconds = database, name, holder, seconds
        self._outer = outer
        self._lock = threading.Lock()
        self._taken = time.monotonic()

    @classmethod
    def take(cls, database: Database, name: str, holder: str, *, seconds: float = SECONDS) -> Lease | None:
        """``name``: of the thing, as operators read it ("network <id>").  None while somebody else has it."""
        lease = cls(database, name, holder, seconds=seconds, outer=fence.current())
        return lease if leases.take(database, name, holder, seconds) else None

    def check(self) -> None:
        """Raise LeaseLost when it is over.  A frozen process notices: the clock runs on meanwhile."""
        if self._outer is not None:
            self._outer.check()
        with self._lock:
            begun = time.monotonic()
            if begun - self._taken < self._seconds / 2:
                return
            late = begun - self._taken > self._seconds - MARGIN
            if late or not leases.take(self._database, self._name, self._holder, self._seconds):
                raise LeaseLost(
                    f"{self._name}: another process may have taken it over; it is looked at again"
                )
            self._taken = begun

    def waits(self, why: str) -> None:
        if self._outer is not None:
            self._outer.waits(why)

    def give_back(self) -> None:
        leases.give_back(self._database, self._name, self._holder)


class HeldLeases:
    """The leases a process keeps from pass to pass: written every quarter of a minute, not at every pass.

    ``kind``: the first word of their names ("network").
    """

    def __init__(self, database: Database, kind: str) -> None:
        self._database, self._kind, self.holder = database, kind, uuid.uuid4().hex
        self._leases: dict[str, Lease] = {}

    def take(self, thing: str) -> Lease | None:
        """The lease on a thing; None while somebody else has it."""
        known = self._leases.get(thing)
        try:
            if known is not None:
                known.check()
                return known
        except LeaseLost:
            del self._leases[thing]
        taken = Lease.take(self._database, f"{self._kind} {thing}", self.holder)
        if taken is not None:
            self._leases[thing] = taken
        return taken

    @property
    def things(self) -> frozenset[str]:
        """Those held now."""
        return frozenset(self._leases)

    def keep_only(self, things: Collection[str]) -> None:
        """Let go of the others: somebody may wait for them."""
        for thing in set(self._leases) - set(things):
            self._leases.pop(thing).give_back()


@contextmanager
def held(database: Database, name: str, patience: float) -> Iterator[None]:
    """A job's step has the thing to itself.  Unavailable when nobody lets go of it in so many seconds."""
    deadline = time.monotonic() + patience
    while (lease := Lease.take(database, name, uuid.uuid4().hex)) is None:
        fence.check()
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{name}: another process has been working on it for {patience:.0f} s; try again"
            )
        time.sleep(0.2)
    try:
        with fence.around(lease):
            yield
    finally:
        lease.give_back()
