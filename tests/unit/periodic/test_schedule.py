"""When tasks are due: cron over the changes of the clocks, missed runs, intervals with jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisite.domain.errors import Invalid
from multisite.periodic.schedule import Cron, Interval

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/St_Johns",
)
FORWARD = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
"""02:00 in Berlin becomes 03:00."""
BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
"""03:00 in Berlin becomes 02:00."""
moments = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC)) | st.builds(
    lambda base, seconds: base + timedelta(seconds=seconds),
    st.sampled_from([FORWARD, BACK]),
    st.integers(-9000, 9000),
)


@given(moments, st.integers(0, 59), st.integers(0, 23), st.sampled_from(ZONES))
@example(FORWARD - timedelta(hours=2), 30, 2, "Europe/Berlin")
@example(BACK - timedelta(hours=2), 30, 2, "Europe/Berlin")
def test_a_daily_tick_comes_once_on_every_day(start: datetime, minute: int, hour: int, zone: str) -> None:
    cron, days, tick = Cron(f"{minute} {hour} * * *", zone), [], start
    for _ in range(6):
        following = cron.after(tick, tick)
        assert following > tick
        tick = following
        days.append(tick.astimezone(ZoneInfo(zone)).date())
    assert all(b - a == timedelta(days=1) for a, b in pairwise(days)), days


@given(moments, st.sampled_from(ZONES))
def test_an_hourly_tick_follows_the_time_that_passes(start: datetime, zone: str) -> None:
    first = Cron("0 * * * *", zone).first(start)
    assert start < first <= start + timedelta(hours=2)
    again = Cron("0 * * * *", zone).first(first)
    assert again - first in {timedelta(minutes=m) for m in (30, 60, 90)}, (
        "half hours on Lord Howe Island only"
    )


@given(moments, st.timedeltas(timedelta(0), timedelta(days=40)), st.sampled_from(ZONES))
def test_however_many_ticks_were_missed_one_run_catches_up(
    tick: datetime, outage: timedelta, zone: str
) -> None:
    cron = Cron("*/5 * * * *", zone)
    started = cron.first(tick) + outage
    following = cron.after(started, started + timedelta(seconds=1))
    assert following > started


def test_a_tick_that_went_by_during_a_run_is_run_once_right_after() -> None:
    cron = Cron("*/5 * * * *")
    started = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    following = cron.after(started, started + timedelta(minutes=17))
    assert cron.is_due(following, started + timedelta(minutes=17))
    late = started + timedelta(minutes=17)
    assert cron.after(late, late + timedelta(seconds=9)) == started + timedelta(minutes=20)


def test_the_hour_that_is_left_out_and_the_one_that_comes_twice() -> None:
    cron = Cron("30 2 * * *", "Europe/Berlin")
    assert cron.first(FORWARD - timedelta(minutes=1)) == FORWARD
    once = cron.first(BACK - timedelta(hours=2))
    assert once == BACK - timedelta(minutes=30)
    assert cron.first(once) == BACK + timedelta(days=1, minutes=30), "not again an hour later"
    assert Cron("30 * * * *", "Europe/Berlin").first(once) == once + timedelta(hours=1), "this one is"


@given(moments, st.floats(0.1, 1e6), st.floats(0, 100), st.timedeltas(timedelta(0), timedelta(days=1)))
def test_an_interval_with_jitter(start: datetime, seconds: float, jitter: float, took: timedelta) -> None:
    finished = start + took
    for from_start, begin in ((False, finished), (True, start)):
        wait = Interval(seconds, jitter, from_start).after(start, finished) - begin
        assert timedelta(seconds=seconds) <= wait + timedelta(microseconds=1)
        assert wait <= timedelta(seconds=seconds + jitter, microseconds=1)


def test_a_clock_that_was_set_back_stops_no_interval() -> None:
    tick = Interval(60).after(FORWARD, FORWARD)
    assert not Interval(60).is_due(tick, FORWARD)
    assert Interval(60).is_due(tick, FORWARD - timedelta(hours=1))


@pytest.mark.parametrize(
    "expression", ["", "* * *", "61 * * * *", "R * * * *", "H 2 * * *", "0 0 30 2 *", "@daily"]
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(Invalid, match="schedule"):
        Cron(expression)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(Invalid, match="time zone 'Mars/Olympus'"):
        Cron("0 0 * * THU", "Mars/Olympus")
