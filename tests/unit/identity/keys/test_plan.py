"""Repositories, key counts, the order of an install, the gate and the forecast: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.errors import Invalid
from multisite.identity.keys import schedule
from multisite.identity.keys.fernet import gate, install
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.fernet.install import Put, Remove
from multisite.identity.keys.repository import Key, Kind, Repository, fingerprint
from multisite.identity.keys.state import Seen, State
from multisite.identity.topology.model import Tokens
from tests.unit.identity.keys.little_sites import TOKENS

NOW = 1_000_000.0
KIND = Kind.TOKENS


def grown(promotions: int, every: float = 3600.0) -> fernet_plan.KindState:
    """Adopted {0: s0, 1: p}, then promoted so often, each settled at once."""
    mine = fernet_plan.adopted(KIND, Repository({0: "s0", 1: "p"}), TOKENS, NOW)
    for index in range(1, promotions + 1):
        at = NOW + index * every
        mine = fernet_plan.promote(KIND, mine, TOKENS, at, lambda index=index: f"s{index}")  # type: ignore[misc]
        mine = fernet_plan.settle(KIND, State(kinds={KIND: mine}), seen(mine.desired, at), ["a"], at).kinds[
            KIND
        ]
    return mine


def seen(repository: Repository, at: float = NOW, site: str = "a") -> dict[str, dict[Kind, Seen]]:
    return {site: {KIND: Seen(at, repository)}}


def test_a_rotation_is_keystones() -> None:
    assert Repository({0: "s", 5: "p", 4: "o"}).promoted("n").keys == {0: "n", 6: "s", 5: "p", 4: "o"}
    assert Repository({0: "s"}).primary == "s"
    assert Repository().primary is None


def test_a_key_prints_as_its_fingerprint() -> None:
    key = Key(b"c2VjcmV0\n")
    assert "c2VjcmV0" not in f"{key} {key!r} {[key]} {vars(type(key))}"
    assert key.fingerprint == fingerprint(b"c2VjcmV0")


def test_numbered_keys_first_then_the_staged_one_then_removals() -> None:
    operations = install.plan(Repository({0: "s2", 6: "s1", 5: "s0"}), Repository({0: "s0", 4: "p", 3: "o"}))
    assert operations == [Put(5, "s0"), Put(6, "s1"), Put(0, "s2"), Remove(3), Remove(4)]


def test_wrong_owner_or_mode_is_written_again() -> None:
    same = Repository({0: "s", 1: "p"})
    assert install.plan(same, same) == []
    assert install.plan(same, same, unfit=(1,)) == [Put(1, "p")]


@pytest.mark.parametrize(
    ("tokens", "count"),
    [(Tokens(), 5), (TOKENS, 5), (Tokens(expiration=60, allow_expired_window=0, rotation_interval=60), 3)],
)
def test_key_count(tokens: Tokens, count: int) -> None:
    assert schedule.key_count(KIND, tokens) == count
    schedule.check_key_count(tokens, count)
    with pytest.raises(Invalid, match=f"max_active_keys: {count - 1} is too few.*needs {count}"):
        schedule.check_key_count(tokens, count - 1)


def test_purged_only_when_too_many_and_dead() -> None:
    mine = grown(3)  # 0 and 1..4: five keys
    assert gate.purgeable(KIND, mine, TOKENS, NOW + 90 * 3600) == []
    mine = grown(4)
    assert gate.purgeable(KIND, mine, TOKENS, NOW + 4 * 3600) == [1]
    hasty = grown(4, every=60.0)  # an operator in a hurry: nothing may go yet
    assert gate.purgeable(KIND, hasty, TOKENS, NOW + 240) == []


def test_not_dead_before_every_site_has_the_next_primary() -> None:
    mine = grown(4)
    late = {f: replace(r, retired_at=None) if f == "p" else r for f, r in mine.records.items()}
    assert gate.purgeable(KIND, replace(mine, records=late), TOKENS, NOW + 99 * 3600) == []


def test_the_gate() -> None:
    mine = grown(1)
    state = State(kinds={KIND: mine})
    right = seen(mine.desired)["a"]
    assert gate.refusals(KIND, state, {"a": right}, ["a"]) == []
    assert [r.site for r in gate.refusals(KIND, state, {"a": right, "b": "cut off"}, ["a", "b"])] == ["b"]
    assert [r.site for r in gate.refusals(KIND, state, {"a": right}, ["a", "b"])] == ["b"], (
        "not asked is unknown"
    )
    old = {KIND: Seen(NOW, Repository({0: "s0", 1: "p"}))}
    assert gate.refusals(KIND, state, {"a": old}, ["a"])
    unfit = {KIND: replace(right[KIND], unfit=(0,))}
    assert gate.refusals(KIND, state, {"a": unfit}, ["a"])
    assert gate.refusals(KIND, replace(state, held="a move"), {"a": right}, ["a"])


def test_forecast_of_a_site_that_has_the_staged_key() -> None:
    mine = grown(1)
    told = gate.forecast(KIND, mine, mine.desired, TOKENS, NOW + 3700)
    assert told.others_fail_here_at == NOW + 3 * 3600, (
        "the second promotion from now: its key was never there"
    )
    # s0 is primary until hour 2, its tokens live until hour 5, and five keys are kept
    assert told.own_fail_elsewhere_at == NOW + 5 * 3600


def test_forecast_of_a_site_without_it() -> None:
    mine = grown(1)
    told = gate.forecast(KIND, mine, Repository({0: "s0", 1: "p"}), TOKENS, NOW + 3700)
    assert told.others_fail_here_at == NOW + 2 * 3600
    assert gate.forecast(KIND, mine, None, TOKENS, NOW) == gate.Forecast(NOW, NOW)
    late = gate.forecast(KIND, grown(3), Repository({0: "s0", 1: "p"}), TOKENS, NOW + 3 * 3600 + 1)
    assert late.others_fail_here_at == NOW + 3 * 3600, "since then, in the past"


def test_credential_keys_wait_for_the_migration() -> None:
    kind = Kind.CREDENTIAL
    mine = fernet_plan.adopted(kind, Repository({0: "s", 1: "p"}), TOKENS, NOW)
    look = {"a": {kind: Seen(NOW, mine.desired)}}
    assert [r.reason for r in gate.refusals(kind, State(kinds={kind: mine}), look, ["a"])]
    ready = replace(mine, migrated=True)
    assert gate.refusals(kind, State(kinds={kind: ready}), look, ["a"]) == []
    after = fernet_plan.promote(kind, ready, TOKENS, NOW, lambda: "n")
    assert not after.migrated
    assert after.next_rotation is None
