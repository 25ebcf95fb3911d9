"""A periodic task as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from multisite.periodic.schedule import Schedule


class Mode(StrEnum):
    LOCAL = "local"
    """Every process runs it for itself; needs no database."""
    CONTINUOUS = "continuous"
    """One process at a time runs it, as long as it lives: for runs every few seconds that follow from what they find.
    Its ticks have no identity; its row is written every RECORD_SECONDS."""
    TICKS = "ticks"
    """Every tick is run to its end once, by one process.  If that dies, another one runs the same tick again."""
    ATOMIC = "atomic"
    """As TICKS, and what the run writes to the database is committed with the tick: both or neither.  For runs that
    only write there (begin a job); they call no site."""


@dataclass(frozen=True)
class Task:
    """``name``: unique and stable, it is the row's.  ``run`` may raise: that is logged, and the next tick comes.

    ``released``: called when this process ends and another may go on.
    """

    name: str
    schedule: Schedule
    run: Callable[[], object]
    mode: Mode = Mode.LOCAL
    released: Callable[[], None] = lambda: None
