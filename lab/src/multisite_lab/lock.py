"""One command at a time may change the lab."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from multisite_lab import paths
from multisite_lab.model import LabError

_depth = 0


@contextmanager
def exclusive(timeout: float = 600.0) -> Iterator[None]:
    """Hold the lab's lock; nested use in one process is fine."""
    global _depth
    if _depth:
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1
        return
    paths.state().mkdir(parents=True, exist_ok=True, mode=0o700)
    with (paths.state() / "lock").open("a+") as file:
        _acquire(file.fileno(), timeout)
        _depth = 1
        try:
            yield
        finally:
            _depth = 0


def _acquire(descriptor: int, timeout: float) -> None:
    os.set_inheritable(descriptor, False)
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise LabError(
                    f"another multisite-lab command has held the lab for {timeout:.0f} s"
                ) from None
            time.sleep(0.2)
