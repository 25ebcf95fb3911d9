"""A replica is fresh as long as it lacks nothing the cluster has had for long; what cannot be known is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisite.identity.watchdog.judge import History, State, cluster_position, judge
from multisite.identity.watchdog.status import MasterStatus, ReplicaStatus, position

WELL = ReplicaStatus("a", True, "site1", "Yes", "Yes", position=100)
MASTERS = [MasterStatus("site1", True, 100), MasterStatus("site2", True, 100)]
HISTORY = History(((0.0, 90), (10.0, 95), (11.0, 100)))


def state(replica: ReplicaStatus, masters: list[MasterStatus] = MASTERS, now: float = 12.0) -> State:
    return judge(replica, masters, HISTORY, now, stale_after=3.0).state


def test_a_replica_that_has_everything_is_fresh() -> None:
    assert state(WELL, now=1e6) is State.FRESH


def test_how_late_it_is_counts_from_when_the_cluster_first_had_what_it_lacks() -> None:
    behind = replace(WELL, position=94)
    assert judge(behind, MASTERS, HISTORY, 12.0, 3.0).lag == 2.0
    assert state(behind, now=12.9) is State.FRESH
    assert state(behind, now=13.1) is State.STALE


def test_a_replica_of_a_dead_master_that_has_everything_is_still_fresh() -> None:
    """Else it would be taken out while the cluster itself stands still after a loss."""
    lonely = replace(WELL, receiving="Connecting", error="error connecting to master")
    assert state(lonely, [MasterStatus("site1", False, why="gone"), MASTERS[1]]) is State.FRESH


def test_heartbeats_from_a_master_without_a_majority_do_not_make_it_fresh() -> None:
    """Both threads run and nothing comes: only the other master's position shows it."""
    parted = [MasterStatus("site1", False, 100, "is non-Primary"), MasterStatus("site2", True, 120)]
    history = HISTORY.with_(20.0, cluster_position(parted))
    assert judge(WELL, parted, history, 22.0, 3.0).state is State.FRESH
    assert judge(WELL, parted, history, 23.1, 3.0).state is State.STALE


def test_with_no_master_to_ask_nothing_is_known() -> None:
    gone = [MasterStatus("site1", False, why="timed out"), MasterStatus("site2", False, why="timed out")]
    verdict = judge(WELL, gone, HISTORY, 1e6, 3.0)
    assert verdict.state is State.UNKNOWN
    assert "site1 timed out" in verdict.reason


@pytest.mark.parametrize(
    ("replica", "expected"),
    [
        (ReplicaStatus("a", answers=False, error="refused"), State.DOWN),
        (replace(WELL, applying="No", error="Duplicate entry"), State.BROKEN),
        (replace(WELL, receiving="No", receive_error=1236), State.BROKEN),
        (replace(WELL, follows=""), State.BROKEN),
        (replace(WELL, position=None), State.BROKEN),
        (replace(WELL, position=101), State.AHEAD),
    ],
)
def test_what_else_may_be_wrong(replica: ReplicaStatus, expected: State) -> None:
    assert state(replica) is expected


def test_only_the_clusters_changes_are_counted() -> None:
    assert position("10-1-1745,31-31-9,101-1-3", 10) == 1745
    assert position("31-31-9", 10) is None
    assert position("", 10) is None


@settings(deadline=None)  # how loaded the machine is says nothing about the code
@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 10_000)), max_size=40), st.integers(0, 10_000))
def test_history_gives_the_first_moment_whatever_is_merged(
    looks: list[tuple[float, int]], wanted: int
) -> None:
    history, first = History(), None
    now = 0.0
    highest = -1
    for step, number in looks:
        now += step / 1e4
        history = history.with_(now, number, keep=1e9)
        if number > highest and number > wanted and first is None:
            first = now
        highest = max(highest, number)
    assert history.ahead_since(wanted) == first


def test_old_marks_are_merged_and_a_very_old_replica_is_never_called_fresh() -> None:
    history = History()
    for second in range(10_000):
        history = history.with_(float(second), second, keep=100.0)
    assert len(history.marks) < 110
    assert history.ahead_since(5) is not None
