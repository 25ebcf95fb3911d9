"""Changing what others change too: read, decide, write if nothing changed in between; else the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from multisite.clouds.addresses import Changed
from multisite.jobs.model import StepFailed

T = TypeVar("T")

TRIES = 8
"""Of a change while others modify the same thing at the same time (HTTP 412)."""


def until_written(what: str, attempt: Callable[[], T]) -> T:
    """``attempt`` reads, decides and writes, and raises Changed when somebody else was quicker.

    StepFailed when that happens ``TRIES`` times; ``what`` names the thing and its site.
    """
    for _ in range(TRIES):
        try:
            return attempt()
        except Changed:
            continue
    raise StepFailed(f"{what} was modified concurrently {TRIES} times: stop the other writer and retry")
