"""The time of the simulated sites: the machine's, or one that a test moves by hand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Seconds since 1970."""

    def now(self) -> float: ...


@dataclass(frozen=True)
class WallClock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()


@dataclass
class ManualClock:
    """Stands still until it is moved."""

    seconds: float = 1_800_000_000.0

    def now(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"{seconds}: time does not go back")
        self.seconds += seconds


def cinder_time(seconds: float) -> str:
    """As Cinder writes it: UTC without saying so.

    Microseconds are kept, as on PostgreSQL; MariaDB rounds them away, which two backups within a second
    would not survive.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def nova_time(seconds: float) -> str:
    """As Nova and Neutron write it: whole seconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def filter_time(seconds: float | None) -> str | None:
    """As the quiesce filter of nova-api writes it: milliseconds, UTC; None stays None."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
