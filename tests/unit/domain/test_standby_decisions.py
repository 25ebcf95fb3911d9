"""What is to be done about the restore points that a protection keeps restored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from multisite.domain.standby import Act, Standby, StandbyState, Wanted, decide

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def one(point: str, state: StandbyState = StandbyState.READY, **more: object) -> Standby:
    made = Standby(f"s-{point}", "pr1", "a1", "mme", "p1", point, "lyon", state, job_id="j")
    return replace(made, **more)  # type: ignore[arg-type]


def acts(count: int, usable: str, *known: Standby, ended: str = "", target: str = "lyon") -> dict[str, Act]:
    plan = decide(Wanted(count, target, tuple(usable.split())), known, ended.split(), NOW)
    return {standby.restore_point_id: act for act, standby in plan.acts}


def start(count: int, usable: str, *known: Standby) -> str | None:
    return decide(Wanted(count, "lyon", tuple(usable.split())), known, (), NOW).start


def test_the_newest_that_is_missing_is_restored_one_at_a_time() -> None:
    assert start(2, "c b a") == "c"
    assert start(2, "c b a", one("c")) == "b"
    assert start(2, "c b a", one("c"), one("b")) is None
    assert start(2, "c b a", one("b", StandbyState.REFRESHING)) is None
    assert start(1, "") is None


def test_an_older_one_stays_until_enough_newer_ones_are_ready() -> None:
    assert acts(1, "b a", one("a")) == {}
    assert acts(1, "b a", one("a"), one("b", StandbyState.REFRESHING)) == {}
    assert acts(1, "b a", one("a"), one("b")) == {"a": Act.REMOVE}
    assert acts(2, "c b a", one("a"), one("b"), one("c")) == {"a": Act.REMOVE}


def test_what_can_not_be_recovered_or_is_elsewhere_goes() -> None:
    assert acts(1, "b", one("a")) == {"a": Act.REMOVE}
    assert acts(1, "a", one("a"), target="nice") == {"a": Act.REMOVE}
    assert acts(0, "a", one("a")) == {"a": Act.REMOVE}
    assert acts(0, "a", one("a", StandbyState.REFRESHING)) == {"a": Act.CANCEL}
    assert acts(1, "c b a", one("a", StandbyState.REFRESHING)) == {}, "what is being restored goes on"
    assert acts(0, "a", one("a", StandbyState.FAILED)) == {"a": Act.FORGET}


def test_what_is_claimed_stays_until_its_recovery_has_ended() -> None:
    claimed = one("a", StandbyState.CLAIMED, recovery_id="r1")
    assert acts(0, "", claimed) == {}
    assert acts(1, "a", claimed, ended="r1") == {"a": Act.REMOVE}


@pytest.mark.parametrize("state", [StandbyState.FAILED, StandbyState.LEFT])
def test_what_failed_waits_longer_each_time(state: StandbyState) -> None:
    def waits(attempts: int, seconds: float) -> bool:
        tried = one("a", state, attempts=attempts, tried_at=NOW - timedelta(seconds=seconds))
        return acts(1, "a", tried) == {} and start(1, "a", tried) is None

    assert waits(1, 59)
    assert not waits(1, 61)
    assert waits(2, 119)
    assert not waits(2, 121)
    assert waits(20, 899)
    assert not waits(20, 901)


def test_tries_are_counted_on() -> None:
    tried = one("a", StandbyState.FAILED, attempts=3, tried_at=NOW - timedelta(hours=1))
    assert decide(Wanted(1, "lyon", ("a",)), [tried], (), NOW).attempts == 3


def test_what_the_store_does_not_show_now_is_not_deleted() -> None:
    """It may be the last copy of the data."""
    doubtful = Wanted(1, "lyon", ("b",), frozenset({"a"}))
    assert decide(doubtful, [one("a")], (), NOW).acts == ()
    assert decide(Wanted(0), [one("a")], (), NOW).acts == ((Act.REMOVE, one("a")),)
