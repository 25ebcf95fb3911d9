"""If the site died now: the state of an RPO and its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from multisite.domain.model import RestorePoint, RestorePointState
from multisite.domain.rpo import BYTES_UNKNOWN, NO_RATE, Prospect, RpoSample, RpoState, judge, thinned

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = Prospect(NOW + timedelta(minutes=10))
HOUR = 3600


def point(
    minutes: float, state: RestorePointState = RestorePointState.AVAILABLE, error: str = ""
) -> RestorePoint:
    """Of so many minutes ago."""
    at = NOW - timedelta(minutes=minutes)
    return RestorePoint(
        f"p{minutes}", "a", "mme", "p", "pr", "consistent-backup", state, False, None, at,
        consistent_at=at if state is not RestorePointState.FAILED else None, error=error or None,
    )  # fmt: skip


def test_met() -> None:
    found = judge([point(30), point(90)], HOUR, SOON, NOW)
    assert (found.state, found.reason, found.lost_seconds) == (RpoState.MET, "", 1800)
    assert found.restore_point_id == "p30"


def test_unknown_is_not_zero() -> None:
    found = judge([point(30)], HOUR, SOON, NOW)
    assert found.lost_bytes is None
    assert found.lost_bytes_note.startswith("unknown")
    away = judge(None, HOUR, SOON, NOW)
    assert (away.state, away.lost_seconds) == (RpoState.UNKNOWN, None)
    doubt = judge([point(5, RestorePointState.UNKNOWN), point(30)], HOUR, SOON, NOW)
    assert doubt.state is RpoState.UNKNOWN


@pytest.mark.parametrize(
    "state", [RestorePointState.MISSING, RestorePointState.SUPERSEDED, RestorePointState.RUNNING]
)
def test_only_usable_ones_count(state: RestorePointState) -> None:
    found = judge([point(5, state), point(90)], HOUR, SOON, NOW)
    assert (found.state, found.lost_seconds) == (RpoState.MISSED, 5400)
    nothing = judge([point(5, state)], HOUR, SOON, NOW)
    assert (nothing.state, nothing.lost_seconds) == (RpoState.MISSED, None)
    assert "everything would be lost" in nothing.reason


def test_missed_says_by_how_much_and_why() -> None:
    failed = point(20, RestorePointState.FAILED, "backup of v1 ended in error")
    found = judge([failed, point(90)], HOUR, SOON, NOW)
    assert found.state is RpoState.MISSED
    assert found.reason.startswith(
        "the newest usable data are 5400 s old, 1800 s more than the target: the run of"
    )
    assert "backup of v1 ended in error" in found.reason


@pytest.mark.parametrize(
    ("points", "prospect", "said"),
    [
        ([point(5, RestorePointState.FAILED, "no answer"), point(30)], SOON, "failed: no answer"),
        ([point(30)], Prospect(why_none="policy gold is paused"), "policy gold is paused"),
        ([point(30)], Prospect(NOW + timedelta(hours=2)), "later than the target allows"),
        ([point(30)], replace(SOON, note="the run of 12:00 could not begin"), "could not begin"),
    ],
)
def test_at_risk(points: list[RestorePoint], prospect: Prospect, said: str) -> None:
    found = judge(points, HOUR, prospect, NOW)
    assert found.state is RpoState.AT_RISK
    assert said in found.reason


def test_an_older_failure_is_over() -> None:
    assert judge([point(30), point(60, RestorePointState.FAILED, "x")], HOUR, SOON, NOW).state is RpoState.MET


def test_without_a_target_it_is_told_what_would_be_lost() -> None:
    found = judge([point(30)], None, SOON, NOW)
    assert (found.state, found.lost_seconds) == (RpoState.NO_TARGET, 1800)


def test_a_long_time_shows_the_worst_of_each_stretch() -> None:
    samples = [RpoSample(NOW, RpoState.MET, float(n % 7), None, HOUR) for n in range(100)]
    samples[50] = replace(samples[50], lost_seconds=None)
    found = thinned(samples, 10)
    assert len(found) == 10
    assert [one.lost_seconds for one in found].count(None) == 1
    assert {one.lost_seconds for one in found} == {6.0, None}
    assert thinned(samples[:5], 10) == samples[:5]


def carrying(minutes: float, bytes: int, seconds: float) -> RestorePoint:
    """An incremental one."""
    return replace(point(minutes), incremental=True, carried_bytes=bytes, carried_seconds=seconds, size_gib=1)


def test_bytes_by_what_incremental_restore_points_carried() -> None:
    newest = carrying(10, 3_000_000, 600)
    found = judge([newest], HOUR, SOON, NOW, [newest, carrying(20, 9_000_000, 600)])
    assert found.lost_bytes == 6_000_000, "10,000 bytes a second for ten minutes"
    assert "2 incremental restore points carried 12000000 bytes" in found.lost_bytes_note
    huge = replace(newest, carried_bytes=10**15)
    assert judge([huge], HOUR, SOON, NOW, [huge]).lost_bytes == 2**30, "no more than the volumes have"


def test_bytes_of_another_method_or_copy_tell_nothing() -> None:
    newest = point(10)
    for other in ({"method": "instance-snapshot"}, {"epoch": 1}, {"carried_bytes": None}):
        found = judge([newest], HOUR, SOON, NOW, [replace(carrying(20, 9_000_000, 600), **other)])  # type: ignore[arg-type]
        assert (found.lost_bytes, found.lost_bytes_note[:7]) == (None, "unknown"), other
    replicated = replace(newest, method="volume-replication")
    assert judge([replicated], HOUR, SOON, NOW).lost_bytes_note == BYTES_UNKNOWN
    assert judge([newest], HOUR, SOON, NOW).lost_bytes_note == NO_RATE
