"""What retention keeps: rules by example, and what holds for every history of restore points."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisite.domain.model import RestorePoint, RestorePointState
from multisite.domain.retention import BEING_DELETED, RULES, Retention, decide, next_to_delete

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MINE = "protection"


def point(
    id: str,
    at: datetime,
    parent: str | None = None,
    state: RestorePointState = RestorePointState.AVAILABLE,
    protection: str | None = MINE,
    error: str | None = None,
) -> RestorePoint:
    return RestorePoint(
        id=id, application_id="a", application="mme", project_id="p", protection_id=protection,
        method="consistent-backup", state=state, incremental=parent is not None, parent_id=parent, created_at=at,
        consistent_at=at if state is not RestorePointState.RUNNING else None, error=error,
    )  # fmt: skip


def history(count: int, step: timedelta, full_every: int = 1) -> list[RestorePoint]:
    """The newest is of now; ids count from the oldest, p0."""
    made: list[RestorePoint] = []
    for number in range(count):
        parent = made[-1].id if number % full_every else None
        made.append(point(f"p{number}", NOW - step * (count - 1 - number), parent))
    return made


def kept(points: list[RestorePoint], **rules: int) -> set[str]:
    return {v.restore_point_id for v in decide(points, MINE, Retention(**rules), NOW) if v.keep}


def test_every_rule_of_the_dataclass_is_in_the_table() -> None:
    assert list(RULES) == [field.name for field in fields(Retention)]


def test_without_rules_everything_is_kept() -> None:
    assert kept(history(30, timedelta(days=1))) == {f"p{n}" for n in range(30)}


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ({"last": 3}, ["2026-03-29", "2026-03-30", "2026-03-31"]),
        ({"days": 2}, ["2026-03-30", "2026-03-31"]),
        ({"daily": 2}, ["2026-03-30", "2026-03-31"]),
        ({"weekly": 3}, ["2026-03-22", "2026-03-29", "2026-03-31"]),  # two Sundays, and this week's newest
        ({"monthly": 3}, ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ({"yearly": 2}, ["2025-12-31", "2026-03-31"]),
        ({"daily": 1, "yearly": 2}, ["2025-12-31", "2026-03-31"]),
    ],
)
def test_a_rule_keeps_what_it_says(rules: dict[str, int], wanted: list[str]) -> None:
    points = history(200, timedelta(days=1))
    days = {p.id: f"{p.consistent_at:%Y-%m-%d}" for p in points}
    assert sorted(days[id] for id in kept(points, **rules)) == wanted


def test_hourly_takes_the_newest_of_each_hour() -> None:
    points = history(20, timedelta(minutes=20))
    times = {p.id: f"{p.consistent_at:%H:%M}" for p in points}
    assert sorted(times[id] for id in kept(points, hourly=3)) == ["10:40", "11:40", "12:00"]


def test_a_reason_is_given_for_each() -> None:
    points = history(8, timedelta(days=1), full_every=4)
    found = {v.restore_point_id: v for v in decide(points, MINE, Retention(daily=2), NOW)}
    assert found["p7"].reasons == ("the newest usable one", "newest of day 2026-03-31",)  # fmt: skip
    assert found["p6"].reasons == ("newest of day 2026-03-30", "restore point p7 builds on it")
    assert found["p4"].reasons == ("restore point p5 builds on it",)
    assert not found["p3"].keep
    assert found["p3"].reasons == ("no rule of the policy keeps it",)


def test_a_full_that_incrementals_build_on_stays_and_goes_with_the_last_of_them() -> None:
    points = history(7, timedelta(days=1), full_every=7)
    assert kept(points, last=1) == {p.id for p in points}
    points.append(point("next", NOW + timedelta(hours=1)))
    assert kept(points, last=1) == {"next"}
    order = []
    while (found := next_to_delete(decide(points, MINE, Retention(last=1), NOW), points)) is not None:
        order.append(found.restore_point_id)
        points = [p for p in points if p.id != found.restore_point_id]
    assert order == ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]


def test_a_chain_without_this_rule_would_be_broken() -> None:
    """The negative control: the rules alone would delete the full."""
    points = history(7, timedelta(days=1), full_every=7)
    unchained = [replace(p, parent_id=None) for p in points]
    assert kept(unchained, last=1) == {"p6"}


def test_one_in_use_stays_with_all_it_builds_on() -> None:
    points = history(12, timedelta(days=1), full_every=3)
    used = {"p4": "recovery r1 needs it"}
    found = {v.restore_point_id: v for v in decide(points, MINE, Retention(last=1), NOW, used)}
    assert [id for id, v in found.items() if v.keep] == ["p11", "p10", "p9", "p4", "p3"]
    assert found["p4"].reasons == ("recovery r1 needs it",)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"state": RestorePointState.SUPERSEDED}, "superseded"),
        ({"state": RestorePointState.MISSING}, "missing in the backup store"),
        ({"state": RestorePointState.RUNNING}, "being made"),
        ({"state": RestorePointState.FAILED}, "failed"),
        ({"state": RestorePointState.FAILED, "error": BEING_DELETED}, BEING_DELETED),
        ({"protection": "another"}, "not made by this protection"),
        ({"protection": None}, "not made by this protection"),
    ],
)
def test_what_is_not_ours_is_never_touched(other: dict[str, object], why: str) -> None:
    points = [*history(3, timedelta(days=1)), point("old", NOW - timedelta(days=90), **other)]  # type: ignore[arg-type]
    found = {v.restore_point_id: v for v in decide(points, MINE, Retention(last=1), NOW)}
    assert found["old"].keep
    assert not found["old"].ours
    assert why in " ".join(found["old"].reasons)
    assert not found["p1"].keep, "the control: ours goes"


@pytest.mark.parametrize(
    ("state", "error", "holds"),
    [
        (RestorePointState.RUNNING, None, True),
        (RestorePointState.SUPERSEDED, None, True),
        (RestorePointState.FAILED, BEING_DELETED, True),
        (RestorePointState.FAILED, "the site was away", False),
        (RestorePointState.MISSING, "gone", False),
    ],
)
def test_who_holds_what_it_builds_on(state: RestorePointState, error: str | None, holds: bool) -> None:
    points = history(3, timedelta(days=1))
    points.append(point("child", NOW, "p0", state, error=error))
    assert ("p0" in kept(points, last=1)) is holds


def test_while_it_is_unknown_which_copy_counts_nothing_goes() -> None:
    points = history(9, timedelta(days=1))
    points[2] = replace(points[2], state=RestorePointState.UNKNOWN)
    assert kept(points, last=1) == {p.id for p in points}


STATES = st.sampled_from(
    [
        *[RestorePointState.AVAILABLE] * 6,
        *(s for s in RestorePointState if s is not RestorePointState.UNKNOWN),
    ]
)
COUNT = st.one_of(st.none(), st.integers(1, 6))
RETENTIONS = st.builds(Retention, **dict.fromkeys(RULES, COUNT))


@st.composite
def histories(draw: st.DrawFn) -> list[RestorePoint]:
    """Points at odd moments; each builds on nothing or on any that was there before, also one of another protection."""
    made: list[RestorePoint] = []
    for number in range(draw(st.integers(0, 25))):
        at = NOW - timedelta(minutes=draw(st.integers(0, 60 * 24 * 800)))
        parent = draw(st.sampled_from([None, *made[-3:]]))
        state, owner = draw(STATES), draw(st.sampled_from([MINE] * 5 + ["another", None]))
        error = draw(st.sampled_from([None, BEING_DELETED])) if state is RestorePointState.FAILED else None
        made.append(point(f"p{number}", at, parent.id if parent else None, state, owner, error))
    return made


def usable(points: list[RestorePoint]) -> list[RestorePoint]:
    return [p for p in points if p.state is RestorePointState.AVAILABLE and p.protection_id == MINE]


def carried_out(points: list[RestorePoint], retention: Retention) -> list[RestorePoint]:
    """What is left when one is deleted after another, as the service does."""
    while (found := next_to_delete(decide(points, MINE, retention, NOW), points)) is not None:
        points = [p for p in points if p.id != found.restore_point_id]
    return points


@settings(max_examples=60, deadline=None)
@given(histories(), RETENTIONS)
def test_it_never_deletes_what_a_kept_one_needs(points: list[RestorePoint], retention: Retention) -> None:
    left = {p.id for p in carried_out(points, retention)}
    there = {p.id for p in points}
    holding = {RestorePointState.AVAILABLE, RestorePointState.RUNNING, RestorePointState.SUPERSEDED}
    for p in points:
        if p.id in left and (p.state in holding or p.error == BEING_DELETED) and p.parent_id in there:
            assert p.parent_id in left


@settings(max_examples=60, deadline=None)
@given(histories(), RETENTIONS)
def test_only_ours_goes_and_the_newest_usable_one_stays(
    points: list[RestorePoint], retention: Retention
) -> None:
    left = {p.id for p in carried_out(points, retention)}
    mine = usable(points)
    assert {p.id for p in points} - left <= {p.id for p in mine}
    if mine:
        assert max(mine, key=lambda p: (p.consistent_at, p.id)).id in left


@settings(max_examples=60, deadline=None)
@given(histories(), RETENTIONS)
def test_all_that_is_to_go_goes_and_the_second_time_nothing_does(
    points: list[RestorePoint], retention: Retention
) -> None:
    wanted = {v.restore_point_id for v in decide(points, MINE, retention, NOW) if v.keep}
    left = carried_out(points, retention)
    assert {p.id for p in left} == wanted
    assert all(v.keep for v in decide(left, MINE, retention, NOW))


@settings(max_examples=60, deadline=None)
@given(histories(), RETENTIONS, st.sampled_from(sorted(RULES)))
def test_another_rule_only_ever_keeps_more(
    points: list[RestorePoint], retention: Retention, name: str
) -> None:
    if not retention.rules:
        return  # which keeps everything
    more = replace(retention, **{name: (getattr(retention, name) or 0) + 1})
    before = {v.restore_point_id for v in decide(points, MINE, retention, NOW) if v.keep}
    assert before <= {v.restore_point_id for v in decide(points, MINE, more, NOW) if v.keep}
