"""Changing in a step what others change too: read, decide, write if nothing changed in between; else the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from multisite.clouds.addresses import CONCURRENT, Changed, until_unchanged
from multisite.jobs.model import StepFailed

T = TypeVar("T")


def until_written(what: str, attempt: Callable[[], T]) -> T:
    """As ``clouds.addresses.until_unchanged``; StepFailed in the end.  ``what`` names the thing and its site."""
    try:
        return until_unchanged(attempt)
    except Changed as error:
        raise StepFailed(f"{what} was {CONCURRENT}") from error
