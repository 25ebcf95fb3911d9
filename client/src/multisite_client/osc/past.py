"""What past runs tell, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite_client.osc.base import seconds


def runs(count: int) -> str:
    return f"{count} past run{'' if count == 1 else 's'}"


def spread(found: Mapping[str, Any], *names: str) -> str:
    """``4 min 5 s (3 min 2 s to 6 min 1 s, 5 past runs)``; without past runs the figure alone, or ``unknown``.

    ``names``: the fields of the median, the lowest, the highest and how many there were.
    """
    median, least, most, count = (found.get(name) for name in names)
    if median is None:
        return "unknown"
    if not count or least is None or most is None:
        return seconds(median)
    return f"{seconds(median)} ({seconds(least)} to {seconds(most)}, {runs(count)})"
