"""When a worker may declare others dead: only while its own renewals are in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from multisite.jobs import lease as module
from multisite.jobs.lease import LATE, LEASE_SECONDS, MARGIN, WorkerLease
from multisite.store.database import Database


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "boot_clock", clock)
    return clock


@pytest.fixture
def lease(clock: Clock, tmp_path: Path) -> WorkerLease:
    lease = WorkerLease(Database(f"sqlite:///{tmp_path}/m.db"), "w", LEASE_SECONDS)
    lease._renewed(clock.now)
    return lease


def _renew_each_second(lease: WorkerLease, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1
        lease._renewed(clock.now)


def test_who_renews_in_time_for_half_a_lease_is_steady(lease: WorkerLease, clock: Clock) -> None:
    assert not lease.steady
    _renew_each_second(lease, clock, 3)
    assert lease.steady
    clock.now += LEASE_SECONDS - MARGIN
    assert not lease.steady


def test_who_was_late_itself_declares_nobody_dead_until_all_had_the_time_to_renew(
    lease: WorkerLease, clock: Clock
) -> None:
    """The database was read-only for 4 s, shorter than a lease: a living worker may renew after us."""
    _renew_each_second(lease, clock, 10)
    clock.now += LATE + 1
    lease._renewed(clock.now)
    assert not lease.steady
    _renew_each_second(lease, clock, 2)
    assert not lease.steady
    _renew_each_second(lease, clock, 1)
    assert lease.steady


def test_a_small_delay_changes_nothing(lease: WorkerLease, clock: Clock) -> None:
    _renew_each_second(lease, clock, 10)
    clock.now += LATE
    lease._renewed(clock.now)
    assert lease.steady
