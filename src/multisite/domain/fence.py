"""The fence before every outside call: whoever has lost the right to act is stopped here.

The engine puts a fence around each step; whatever changes something outside (a request to a site, a file of the
backup store) calls ``check`` right before it.  Where no fence was put up, everybody may pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Fence(Protocol):
    """What stands around a step."""

    def check(self) -> None:
        """Return while the step may act; wait while that is in doubt; raise when the right is lost."""

    def waits(self, why: str) -> None:
        """Tell operators what the step waits for now; "" when it goes on."""


_around: ContextVar[Fence | None] = ContextVar("multisite_fence", default=None)


def check() -> None:
    """Right before an outside call.  What it raises is no Exception: let it pass."""
    fence = _around.get()
    if fence is not None:
        fence.check()


def waits(why: str) -> None:
    """Show operators what the step waits for; "" when it goes on."""
    fence = _around.get()
    if fence is not None:
        fence.waits(why)


def current() -> Fence | None:
    """The fence this thread is behind, for one that is put within it."""
    return _around.get()


@contextmanager
def around(fence: Fence) -> Iterator[None]:
    """Everything this thread does within is behind the fence."""
    before = _around.set(fence)
    try:
        yield
    finally:
        _around.reset(before)


class FencedThreads(ThreadPoolExecutor):
    """Threads that work for a step: behind the fence of whoever gives them the work."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(copy_context().run, fn, *args, **kwargs)
