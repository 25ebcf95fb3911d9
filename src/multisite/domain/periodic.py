"""What is shown of a periodic task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TaskState:
    """``schedule`` in words; ``tick_at``: the tick that was begun and has not ended; ``error``: of the last run."""

    name: str
    schedule: str
    next_at: datetime
    paused: bool
    tick_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
