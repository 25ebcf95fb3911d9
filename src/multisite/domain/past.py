"""What past runs tell of the next one: their median, the lowest and the highest, and how many there were.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """Seconds; ``count`` 0: there were none, and nothing is known."""

    median: float | None = None
    least: float | None = None
    most: float | None = None
    count: int = 0


def spread(seconds: Iterable[float]) -> Spread:
    """Of as many as there are, in any order."""
    found = sorted(seconds)
    return Spread(median(found), found[0], found[-1], len(found)) if found else Spread()
