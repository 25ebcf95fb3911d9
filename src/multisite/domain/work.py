"""On whose behalf, and for which step of which job, the present thread is at work.

Whoever takes up work says so (the job runner for a step, the API for a request); whoever records or logs asks.
The two need not know each other.  Threads do not inherit it by themselves: use ``fence.FencedThreads``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """``user`` asked for it, ``project_id`` is whose thing it is about, ``request_id`` of the request to us.

    ``subject``: the protection, recovery ... a job is about.  ``attempt`` counts runs of the step, or of its undo.
    """

    user: str = ""
    project_id: str | None = None
    request_id: str | None = None
    job_id: str | None = None
    subject: str | None = None
    step: str | None = None
    attempt: int | None = None
    undoing: bool = False


_NOBODY = Work()
_work: ContextVar[Work] = ContextVar("multisite_work", default=_NOBODY)
_hurried: ContextVar[bool] = ContextVar("multisite_hurried", default=False)


def current() -> Work:
    """What this thread is doing; an empty Work when nobody said."""
    return _work.get()


def begin(work: Work) -> Token[Work]:
    """Say what this thread does from now on; ``end`` takes it back."""
    return _work.set(work)


def end(token: Token[Work]) -> None:
    """Back to what the thread did before ``begin``."""
    _work.reset(token)


@contextmanager
def doing(work: Work) -> Iterator[None]:
    """``begin`` and ``end`` around a block."""
    token = begin(work)
    try:
        yield
    finally:
        end(token)


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Around what must not wait for a disk or a database: servers stand still meanwhile."""
    token = _hurried.set(True)
    try:
        yield
    finally:
        _hurried.reset(token)


def hurried() -> bool:
    """Whether this thread is in a hurry."""
    return _hurried.get()
