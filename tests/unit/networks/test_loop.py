"""The loop outlives what befalls a pass, is woken, and lets others go on when it ends."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from multisite.networks.stretch import loop
from multisite.networks.stretch.loop import Loop
from multisite.networks.stretch.reconcile import Reconciler


class Passes:
    """Counts; the second one fails."""

    def __init__(self) -> None:
        self.count, self.released = 0, False
        self.went = threading.Semaphore(0)

    def run(self) -> dict[str, Any]:
        self.count += 1
        self.went.release()
        if self.count == 2:
            raise RuntimeError("database away")
        return {}

    def release(self) -> None:
        self.released = True


def test_it_is_woken_outlives_trouble_and_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "AFTER_TROUBLE", 0.01)
    passes = Passes()
    made = Loop(cast("Reconciler", passes), interval=0.02)
    made.start()
    assert all(passes.went.acquire(timeout=30) for _ in range(4))
    made.stop()
    assert passes.released


def test_waking_does_not_wait_for_the_interval() -> None:
    passes = Passes()
    made = Loop(cast("Reconciler", passes), interval=3600)
    made.start()
    assert passes.went.acquire(timeout=30)
    made.wake()
    assert passes.went.acquire(timeout=30)
    made.stop()


def test_without_an_interval_there_are_no_passes() -> None:
    passes = Passes()
    made = Loop(cast("Reconciler", passes), interval=0)
    made.start()
    made.stop()
    assert (passes.count, passes.released) == (0, False)
