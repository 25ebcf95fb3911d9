"""What the engine asks before it works on jobs: whether the database is older than what was done with it."""

from __future__ import annotations

from typing import Protocol


class Staleness(Protocol):
    """``recovery.staleness.StaleDatabaseCheck``."""

    def check(self) -> None:
        """Look now: at the start, and when the process has a new lease.  Raises what the database raises."""

    def start(self) -> None:
        """Look from time to time until ``stop``."""

    def raise_mark(self) -> None:
        """What is done from now on is not known to any earlier state of the database; raises what that raises."""

    def why_rest(self, *, uses_store: bool = False) -> str | None:
        """Why no job may go on, None when it may; ``uses_store`` as in ``JobKind``.  Asks nobody: call it often."""

    def stop(self) -> None: ...


class NeverStale:
    """For a database without a backup store."""

    def check(self) -> None: ...

    def start(self) -> None: ...

    def raise_mark(self) -> None: ...

    def why_rest(self, *, uses_store: bool = False) -> str | None:  # noqa: ARG002
        return None

    def stop(self) -> None: ...
