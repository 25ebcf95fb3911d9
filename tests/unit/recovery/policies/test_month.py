"""Thirty simulated days of schedules and retention, over real repositories: exactly what the policy says is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.recovery.policies.simulated import ANN, START, Setup, setup_in

DAYS = 30
END = START + timedelta(days=DAYS)


@pytest.fixture
def month(tmp_path: Path) -> Iterator[Setup]:
    with setup_in(tmp_path, full_every=4) as made:
        yield made


def wanted(times: list[str], *, daily: int, weekly: int) -> set[str]:
    """By the words of the policy alone: the newest of each of the last days and ISO weeks, and the newest."""
    newest_of_day = {time[:10]: time for time in times}
    days = sorted(newest_of_day)[-daily:]
    weeks: dict[str, str] = {}
    for day, time in sorted(newest_of_day.items()):
        date = datetime.fromisoformat(day)
        weeks[f"{date.isocalendar()[0]}-{date.isocalendar()[1]:02}"] = time
    return (
        {newest_of_day[day] for day in days} | {weeks[week] for week in sorted(weeks)[-weekly:]} | {times[-1]}
    )


def test_thirty_days_keep_exactly_what_the_policy_says(month: Setup) -> None:
    month.policy(schedules=[{"cron": "30 */6 * * *"}], retention={"daily": 7, "weekly": 4})
    month.let_pass(END, timedelta(minutes=30))
    for _ in range(40):  # deletions go on one by one
        month.clock.pass_(seconds=16)
        month.look()
    times = [f"{tick:%Y-%m-%d %H:%M}" for tick, _ in month.protections.made]
    assert len(times) == DAYS * 4, "every tick once"
    assert len(set(times)) == len(times)
    kept = {point.id: point for point in month.kept}
    needed: set[str] = set()
    for point in kept.values():
        at = f"{point.consistent_at:%Y-%m-%d %H:%M}"
        if at in wanted(times, daily=7, weekly=4):
            one = point
            while one.parent_id is not None:
                assert one.parent_id in kept, f"the chain of {at} is broken"
                needed.add(one.parent_id)
                one = kept[one.parent_id]
    by_time = {f"{point.consistent_at:%Y-%m-%d %H:%M}" for point in kept.values() if point.id not in needed}
    held = {f"{kept[id].consistent_at:%Y-%m-%d %H:%M}" for id in needed}
    assert by_time | held >= wanted(times, daily=7, weekly=4)
    assert by_time <= wanted(times, daily=7, weekly=4), "nothing else but what they build on"
    verdicts = month.service.preview(ANN, "pr1").restore_points
    assert all(verdict.keep for verdict in verdicts)


def test_without_retention_all_of_it_is_there(month: Setup) -> None:
    """The negative control."""
    month.policy(schedules=[{"cron": "30 */6 * * *"}])
    month.let_pass(START + timedelta(days=3), timedelta(minutes=30))
    assert len(month.kept) == 12
    assert month.state.runs == 12


def test_fulls_on_sundays_and_incrementals_between(month: Setup) -> None:
    month.policy(
        schedules=[{"cron": "0 0 * * *", "backup": "incremental"}, {"cron": "0 0 * * 0", "backup": "full"}],
        retention={"days": 12},
    )
    month.let_pass(END, timedelta(hours=1))
    fulls = [f"{tick:%a}" for tick, incremental in month.protections.made if incremental is False]
    assert set(fulls) == {"Sun"}
    assert len(fulls) == 4
    kept = month.kept
    assert {f"{point.consistent_at:%a}" for point in kept if not point.incremental} == {"Sun"}
    oldest = min(point.consistent_at for point in kept if point.consistent_at)
    assert f"{oldest:%a}" == "Sun", "the full that kept ones build on"
    assert END - timedelta(days=19) < oldest <= END - timedelta(days=12)
