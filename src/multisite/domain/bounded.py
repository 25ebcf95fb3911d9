"""Asking what may hang for ever (a hard NFS mount without its server), without hanging with it.

A thread that waits for such a file system cannot be stopped: so each call has one of its own, who asks waits only so
long for it, and while one is overdue nobody else is sent after it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Overdue(Exception):
    """No answer in time, from this call or from one before that still waits; the message says since when."""


class BoundedCalls:
    """``seconds`` a call may take; ``at_once`` calls wait for an answer at the same time, others for their turn."""

    def __init__(self, seconds: float, at_once: int = 8) -> None:
        self.seconds = seconds
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._overdue: dict[object, float] = {}
        self._within = threading.local()

    def call(self, function: Callable[[], T]) -> T:
        """What it returns or raises; Overdue.  A call within a call takes no turn of its own."""
        if getattr(self._within, "now", False):
            return function()
        self._refuse_overdue()
        if not self._turns.acquire(timeout=self.seconds):
            self._refuse_overdue()
            raise Overdue(f"busy for {self.seconds:.0f} s")
        result: Future[T] = Future()
        begun = time.monotonic()
        threading.Thread(
            target=copy_context().run,
            args=(self._run, function, result),
            name="multisite-bounded",
            daemon=True,
        ).start()
        try:
            return result.result(self.seconds)
        except TimeoutError:
            with self._lock:
                if not result.done():
                    self._overdue[result] = begun
            self._refuse_overdue()
            return result.result()

    def _run(self, function: Callable[[], T], result: Future[T]) -> None:
        self._within.now = True
        try:
            found = function()
        except BaseException as error:
            self._answered(result, partial(result.set_exception, error))
        else:
            self._answered(result, partial(result.set_result, found))

    def _answered(self, result: Future[T], tell: Callable[[], None]) -> None:
        with self._lock:  # with the telling, or who gives up at this moment would note it as overdue for ever
            tell()
            self._overdue.pop(result, None)
        self._turns.release()

    def _refuse_overdue(self) -> None:
        with self._lock:
            since = min(self._overdue.values(), default=None)
        if since is not None:
            raise Overdue(f"no answer for {time.monotonic() - since:.0f} s")
