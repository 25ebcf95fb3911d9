"""What is known of a job that is watched, and what is said of its steps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass
class JobStatus:
    """What is known of a job; ``at`` is when (monotonic) it was last told in full."""

    job: dict[str, Any]
    at: float
    begun: float
    problem: str | None = None

    def total(self) -> float:
        """Seconds since the job was accepted, until its end."""
        if self.job["settled"] and self.job["ended_at"]:
            return (moment(self.job["ended_at"]) - moment(self.job["created_at"])).total_seconds()
        return time.monotonic() - self.begun

    def elapsed(self, step: dict[str, Any]) -> float | None:
        """Seconds of a step; of one that runs they pass between two answers too."""
        told = step["elapsed"]
        if told is None or step["state"] not in ("running", "undoing"):
            return float(told) if told is not None else None
        return float(told) + time.monotonic() - self.at


class View(Protocol):
    """Somewhere to show what is seen."""

    def update(self, status: JobStatus) -> None: ...
    def close(self, status: JobStatus) -> None: ...


def waits(step: dict[str, Any]) -> str:
    """``waits for limit backup:paris``, or nothing."""
    return f"waits for {step['waits']}" if step.get("waits") else ""


def amount(step: dict[str, Any]) -> str:
    """``0.4/1.0 GiB``, or what is known of it."""
    if step["done"] is None:
        return ""
    total = "" if step["total"] is None else f"/{_number(step['total'])}"
    return f"{_number(step['done'])}{total} {step['unit']}".rstrip()


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and value >= 10 else f"{value:.1f}"


def moment(text: str) -> datetime:
    """Of ISO 8601 with a time zone."""
    return datetime.fromisoformat(text)
