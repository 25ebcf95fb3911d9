"""Which copy of an application is the application: every recovery that is done begins an epoch of it.

Epoch 0 is the application as it was described.  Numbers are never given twice: an epoch whose recovery was undone is
withdrawn, and the one before counts again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class Epoch:
    """``servers``: ids, in ``site``, of those the recovery made."""

    number: int
    site: str
    recovery_id: str
    servers: tuple[str, ...]
    begun_at: datetime
    withdrawn: bool = False


@dataclass(frozen=True)
class Epochs:
    """All of one application, in the order they began."""

    application_id: str
    begun: tuple[Epoch, ...] = ()

    @property
    def current(self) -> Epoch | None:
        """None: the application is where it was described."""
        return max((e for e in self.begun if not e.withdrawn), key=lambda e: e.number, default=None)

    @property
    def number(self) -> int:
        return self.current.number if self.current else 0

    @property
    def highest(self) -> int:
        """Ever given."""
        return max((e.number for e in self.begun), default=0)

    def begin(self, epoch: Epoch) -> Epochs:
        """Once for each recovery, however often it is said."""
        if any(e.recovery_id == epoch.recovery_id for e in self.begun):
            return self
        return replace(self, begun=(*self.begun, epoch))

    def withdraw(self, recovery_id: str) -> Epochs:
        """Nothing changes when that recovery began none."""
        begun = (replace(e, withdrawn=e.withdrawn or e.recovery_id == recovery_id) for e in self.begun)
        return replace(self, begun=tuple(begun))

    def older_copy(self, site: str, servers: Collection[str]) -> Epoch | None:
        """The current epoch when these servers are not of it; None when they are the application."""
        current = self.current
        mine = current is None or (current.site == site and set(servers) <= set(current.servers))
        return None if mine else current
