"""The loop outlives what befalls a run, is woken, needs no database, and lets others go on when it ends."""

from __future__ import annotations

import threading
import time

import pytest

from multisite.periodic import loop, runs
from multisite.periodic.loop import Loop
from multisite.periodic.schedule import Interval
from multisite.periodic.task import Mode, Task


class Passes:
    """Counts; the second one fails."""

    def __init__(self) -> None:
        self.count, self.released = 0, False
        self.went = threading.Semaphore(0)

    def run(self) -> None:
        self.count += 1
        self.went.release()
        if self.count == 2:
            raise RuntimeError("database away")

    def release(self) -> None:
        self.released = True

    def loop(self, interval: float) -> Loop:
        return Loop([Task("passes", Interval(interval), self.run, released=self.release)])


def test_it_is_woken_outlives_trouble_and_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "AFTER_TROUBLE", 0.01)
    passes = Passes()
    made = passes.loop(0.02)
    made.start()
    assert all(passes.went.acquire(timeout=30) for _ in range(4))
    made.stop()
    assert passes.released


def test_waking_does_not_wait_for_the_interval() -> None:
    passes = Passes()
    made = passes.loop(3600)
    made.start()
    assert passes.went.acquire(timeout=30)
    made.wake("passes")
    assert passes.went.acquire(timeout=30)
    made.stop()


def test_none_is_begun_while_there_is_a_reason_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "POLL", 0.05)
    passes, why = Passes(), ["the database is stale"]
    made = Loop([Task("passes", Interval(0.01), passes.run)], why_rest=lambda: why[0] if why else None)
    made.start()
    made.wake("passes")
    assert not passes.went.acquire(timeout=0.3)
    why.clear()
    assert passes.went.acquire(timeout=30)
    made.stop()


def test_after_a_failure_it_is_not_run_at_once() -> None:
    passes = Passes()
    made = passes.loop(0.01)
    made.start()
    assert all(passes.went.acquire(timeout=30) for _ in range(2))
    assert not passes.went.acquire(timeout=0.3)
    made.stop()


def test_a_loop_without_tasks_does_nothing() -> None:
    made = Loop([])
    made.start()
    made.stop()


def test_no_task_runs_twice_at_a_time_and_a_slow_one_keeps_no_other() -> None:
    passes, begun, end = Passes(), [], threading.Event()

    def slow() -> None:
        begun.append(1)
        end.wait(30)

    made = Loop([Task("slow", Interval(0.01), slow), Task("passes", Interval(0.01), passes.run)])
    made.start()
    assert all(passes.went.acquire(timeout=30) for _ in range(2))
    made.wake("slow")
    time.sleep(0.05)
    assert begun == [1]
    end.set()
    made.stop()


def test_from_start_to_start_a_late_run_is_followed_at_once() -> None:
    began: list[float] = []

    def look() -> None:
        began.append(time.monotonic())
        time.sleep(0.3 if len(began) == 1 else 0)

    made = Loop([Task("watchdog", Interval(0.2, from_start=True), look)])
    made.start()
    while len(began) < 3:
        time.sleep(0.01)
    made.stop()
    assert 0.3 <= began[1] - began[0] < 0.45, "no pause after a look that took longer than the interval"
    assert 0.19 <= began[2] - began[1] < 0.35


def test_shared_tasks_need_a_database() -> None:
    with pytest.raises(ValueError, match="needs a database"):
        Loop([Task("shared", Interval(1), print, Mode.TICKS)])
