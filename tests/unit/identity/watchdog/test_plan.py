"""What the watchdog does: a replica of a lost master follows another one that has all it has; nothing is done twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.identity.watchdog.judge import State, Verdict
from multisite.identity.watchdog.plan import Limits, Memory, Repoint, Start, out, repair, site_out
from multisite.identity.watchdog.status import MasterStatus, ReplicaStatus

HOMES = {"a": "site1", "b": "site2"}
A = ReplicaStatus("a", True, "site1", "Yes", "Yes", position=100)
B = ReplicaStatus("b", True, "site2", "Yes", "Yes", position=100)
UP1, UP2 = MasterStatus("site1", True, 100), MasterStatus("site2", True, 100)
GONE1, GONE2 = MasterStatus("site1", False, why="gone"), MasterStatus("site2", False, why="gone")
LIMITS = Limits(stale_after=3, repoint_after=5, agreed_after=2, home_after=30, pause=5)


def verdicts(*states: State) -> list[Verdict]:
    return [Verdict(name, state, 0.0, "") for name, state in zip("ab", states, strict=False)]


FRESH = verdicts(State.FRESH, State.FRESH)


def wanted(
    replicas: list[ReplicaStatus],
    masters: list[MasterStatus],
    memory: Memory,
    now: float = 100.0,
    seen: list[Verdict] = FRESH,
) -> list[Repoint | Start]:
    return repair(replicas, seen, masters, HOMES, memory, now, LIMITS)


def since(masters: list[MasterStatus], at: float) -> Memory:
    return Memory().with_masters(masters, at)


def test_all_well_nothing_to_do() -> None:
    assert wanted([A, B], [UP1, UP2], since([UP1, UP2], 0)) == []


def test_the_replica_of_a_lost_master_follows_the_other_one_but_not_at_once() -> None:
    lost = [GONE1, UP2]
    assert wanted([A, B], lost, since(lost, 95.1)) == []
    (action,) = wanted([A, B], lost, since(lost, 95))
    assert isinstance(action, Repoint)
    assert (action.replica, action.master) == ("a", "site2")


def test_a_replica_that_has_lost_its_master_itself_waits_less() -> None:
    lost = [GONE1, UP2]
    waiting = replace(A, receiving="Connecting")
    assert wanted([waiting, B], lost, since(lost, 98.1)) == []
    assert [action.replica for action in wanted([waiting, B], lost, since(lost, 98))] == ["a"]
    assert wanted([waiting, B], [UP1, UP2], since([UP1, UP2], 0)) == [], (
        "only it says so: the link, or just now"
    )


def test_a_master_without_a_majority_is_lost_too_though_it_answers() -> None:
    parted = [replace(GONE1, position=100, why="is non-Primary"), UP2]
    assert [a.replica for a in wanted([A, B], parted, since(parted, 0))] == ["a"]


def test_with_both_masters_lost_nothing_is_touched() -> None:
    lost = [GONE1, GONE2]
    assert wanted([A, B], lost, since(lost, 0), seen=verdicts(State.UNKNOWN, State.UNKNOWN)) == []


def test_never_to_a_master_that_lacks_what_the_replica_has() -> None:
    lost = [GONE1, replace(UP2, position=99)]
    assert wanted([A], lost, since(lost, 0), seen=verdicts(State.AHEAD)) == []
    assert wanted([A], lost, since(lost, 0)) == []


def test_changes_that_are_gone_are_fetched_elsewhere() -> None:
    purged = replace(A, receiving="No", receive_error=1236, error="could not find GTID", position=50)
    (action,) = wanted(
        [purged, B], [UP1, UP2], since([UP1, UP2], 0), seen=verdicts(State.BROKEN, State.FRESH)
    )
    assert isinstance(action, Repoint)
    assert action.master == "site2"


def test_a_stopped_replica_is_started_and_one_with_an_error_is_left_to_people() -> None:
    both = since([UP1, UP2], 0)
    stopped = replace(A, receiving="No", applying="No")
    assert wanted([stopped], [UP1, UP2], both, seen=verdicts(State.BROKEN)) == [
        Start("a", "it was stopped and has no error")
    ]
    failed = replace(A, applying="No", error="Duplicate entry")
    assert wanted([failed], [UP1, UP2], both, seen=verdicts(State.BROKEN)) == []


def test_it_goes_home_one_at_a_time_when_home_has_been_well_for_long() -> None:
    masters = [UP1, UP2]
    away = [replace(A, follows="site2"), replace(B, follows="site1")]
    assert wanted(away, masters, since(masters, 71)) == []
    (action,) = wanted(away, masters, since(masters, 70))
    assert isinstance(action, Repoint)
    assert (action.replica, action.master) == ("a", "site1")
    assert wanted(away[:1], masters, since(masters, 0), seen=verdicts(State.STALE)) == []


def test_a_flapping_master_counts_from_its_last_return() -> None:
    memory = since([UP1, UP2], 0).with_masters([GONE1, UP2], 50).with_masters([UP1, UP2], 60)
    assert memory.primary_since == {"site1": 60, "site2": 0}
    assert memory.lost_since == {}


def test_two_interventions_at_one_replica_are_apart() -> None:
    lost = [GONE1, UP2]
    memory = since(lost, 0).with_touched("a", 96)
    assert wanted([A, B], lost, memory, now=100.9) == []
    assert wanted([A, B], lost, memory, now=101)


@pytest.mark.parametrize("bad", [State.STALE, State.BROKEN, State.DOWN, State.AHEAD])
def test_what_is_not_fresh_is_out_and_the_site_only_when_nothing_is(bad: State) -> None:
    assert out(verdicts(bad, State.FRESH)) == {"a": True, "b": False}
    assert not site_out(verdicts(bad, State.FRESH))
    assert site_out(verdicts(bad, bad))


def test_what_nobody_knows_changes_nothing_and_leaves_the_site_in() -> None:
    """Cut off from all masters: what was true then is better than nothing."""
    assert out(verdicts(State.UNKNOWN, State.UNKNOWN)) == {}
    assert not site_out(verdicts(State.UNKNOWN, State.UNKNOWN))
