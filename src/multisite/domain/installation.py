"""Whether a database is as new as what was done with it: a counter in it, and a mark of the counter elsewhere.

The counter is raised in the database first and noted elsewhere after that, so a healthy database knows every mark.
One that was restored from a backup does not know the marks made since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Mark:
    """``nonce``: two copies of a database give the same number, never the same nonce."""

    installation_id: str
    counter: int
    at: datetime
    nonce: str


@dataclass(frozen=True)
class Installation:
    """What a database says of itself.  ``at``: when its counter was raised.

    ``ahead``, ``ahead_at``: of a mark that it does not know, until an operator has accepted the database.
    """

    id: str
    counter: int
    nonce: str
    at: datetime
    ahead: int | None = None
    ahead_at: datetime | None = None

    @property
    def mark(self) -> Mark:
        """Of the counter as it is."""
        return Mark(self.id, self.counter, self.at, self.nonce)

    def knows(self, mark: Mark) -> bool:
        """Whether this database, as it is or earlier, has made the mark."""
        return mark.counter < self.counter or (mark.counter, mark.nonce) == (self.counter, self.nonce)
