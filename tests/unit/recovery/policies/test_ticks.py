"""When a policy's next run is, and what becomes of several that are due at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from multisite.domain.policy import BackupKind, PolicySchedule, ProtectionPolicy
from multisite.recovery.policies.ticks import MOST_COUNTED, Tick, due, jitter, longest_gap, next_tick

START = datetime(2026, 3, 1, tzinfo=UTC)  # a Sunday


def policy(*schedules: PolicySchedule, **more: Any) -> ProtectionPolicy:
    return ProtectionPolicy("p", "gold", "p1", schedules, **more)


HOURLY = PolicySchedule(cron="0 * * * *")
SUNDAYS = PolicySchedule(cron="0 0 * * 0", backup=BackupKind.FULL)
EVERY_HOUR = PolicySchedule(interval_seconds=3600)


def at(days: int = 0, **more: float) -> datetime:
    return START + timedelta(days=days, **more)


@pytest.mark.parametrize(
    ("schedules", "after", "wanted"),
    [
        ((HOURLY,), at(minutes=1), (at(hours=1), "auto")),
        ((HOURLY,), at(hours=1), (at(hours=2), "auto")),
        ((EVERY_HOUR,), at(minutes=-1), (at(), "auto")),
        ((EVERY_HOUR,), at(), (at(hours=1), "auto")),
        ((EVERY_HOUR,), at(minutes=150), (at(hours=3), "auto")),
        ((HOURLY, SUNDAYS), at(6, hours=23, minutes=1), (at(7), "full")),
        ((SUNDAYS, HOURLY), at(7), (at(7, hours=1), "auto")),
    ],
)
def test_next(schedules: tuple[PolicySchedule, ...], after: datetime, wanted: tuple[datetime, str]) -> None:
    found = next_tick(policy(*schedules), "x", START, after)
    assert found is not None
    assert (found.at, found.backup) == wanted
    assert found.due_at == found.at, "no jitter"


def test_a_policy_without_schedules_has_none() -> None:
    assert next_tick(policy(), "x", START, START) is None


def test_jitter_is_always_the_same_of_one_and_spreads_many() -> None:
    wanted = policy(HOURLY, jitter_seconds=300)
    found = [jitter(wanted, f"protection-{n}") for n in range(200)]
    assert found == [jitter(wanted, f"protection-{n}") for n in range(200)]
    assert all(0 <= seconds <= 300 for seconds in found)
    assert len([seconds for seconds in found if seconds < 150]) in range(70, 131)
    tick = next_tick(wanted, "protection-1", START, START)
    assert tick is not None
    assert tick.due_at - tick.at == timedelta(seconds=found[1])


def first(wanted: ProtectionPolicy) -> Tick:
    found = next_tick(wanted, "x", START, START)
    assert found is not None
    return found


def test_of_several_that_are_due_the_newest_is_run_and_the_others_are_missed() -> None:
    wanted = policy(HOURLY)
    found = due(wanted, "x", START, first(wanted), at(hours=5, minutes=10))
    assert (found.tick.at, found.missed, found.first) == (at(hours=5), 4, at(hours=1))
    alone = due(wanted, "x", START, first(wanted), at(hours=1))
    assert (alone.tick.at, alone.missed) == (at(hours=1), 0)


def test_a_full_one_that_was_missed_is_made() -> None:
    wanted = policy(PolicySchedule(cron="0 * * * *", backup=BackupKind.INCREMENTAL), SUNDAYS)
    assert due(wanted, "x", START, first(wanted), at(7, hours=3)).tick.backup is BackupKind.FULL
    assert due(wanted, "x", START, first(wanted), at(6, hours=3)).tick.backup is BackupKind.INCREMENTAL


def test_not_more_are_counted_than_takes_a_moment() -> None:
    wanted = policy(PolicySchedule(interval_seconds=60))
    assert due(wanted, "x", START, first(wanted), at(365)).missed == MOST_COUNTED - 1


@pytest.mark.parametrize(
    ("schedules", "seconds"),
    [
        ((PolicySchedule(interval_seconds=600),), 600),
        ((PolicySchedule(cron="0 1 * * *"),), 86_400),
        ((PolicySchedule(cron="0 1 * * *"), PolicySchedule(cron="0 7 * * *")), 18 * 3600),
        ((PolicySchedule(cron="0 1 * * 1-5"),), 3 * 86_400),
        ((PolicySchedule(cron="0 0 29 2 *"),), (4 * 365 + 1) * 86_400),
        ((), None),
    ],
)
def test_the_longest_time_between_two_runs(
    schedules: tuple[PolicySchedule, ...], seconds: float | None
) -> None:
    assert longest_gap(policy(*schedules), START) == seconds
