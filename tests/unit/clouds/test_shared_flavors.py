"""A flavor that one recovery made and another uses: it goes with the last of them, whoever dies or comes between."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.clouds import flavors
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite.clouds.resources import tokens
from multisite.domain.manifest import FlavorRecord
from multisite_lab.sim.nova.resources import make_flavor
from tests.unit.simulated import Sent, SimulatedSite, simulated_target

MAKER, USER = "multisite:job-1:flavor-1", "multisite:job-2:flavor-1"
BIG = FlavorRecord("f", "big", 2, 512, 10, extra_specs={"hw:cpu_policy": "dedicated"})
WORDS = "for large guests"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    return simulated_target(monkeypatch)


def shared(target: SimulatedSite, *, described: bool = False) -> str:
    made = flavors.ensure_flavor(target.site, MAKER, BIG, "big")
    if described:
        flavors.describe_flavor(target.site, MAKER, made, WORDS)
    flavors.hold_flavor(target.site, USER, made)
    target.sent.clear()
    return made


def leave(target: SimulatedSite, token: str, **more: Any) -> dict[str, list[str]]:
    return flavors.leave_flavor(target.site, token, WORDS, **{"late": False} | more)


def big(target: SimulatedSite) -> list[dict[str, Any]]:
    return [row for row in target.state.flavors.values() if row["name"] == "big"]


@pytest.mark.parametrize("described", [False, True])
@pytest.mark.parametrize("order", [(MAKER, USER), (USER, MAKER)])
def test_the_last_one_deletes_it(target: SimulatedSite, order: tuple[str, str], described: bool) -> None:
    shared(target, described=described)
    first, last = order
    assert leave(target, first) == {"big": []}
    (row,) = big(target)
    assert tokens.read("flavor", row) == [last]
    assert row["description"] == (MAKER if (last, described) == (MAKER, False) else WORDS)
    (there,) = [one for one in flavors.usable_flavors(target.site) if one.name == "big"]
    assert (there.own_specs, flavors.made_by_recovery(there)) == (BIG.extra_specs, True)
    assert leave(target, first) == {}, "again"
    assert len(big(target)) == 1
    assert leave(target, last, late=True) == {}
    assert big(target) == []


@pytest.mark.parametrize("kind", ["error", "lost"])
@pytest.mark.parametrize("order", [(MAKER, USER), (USER, MAKER)])
def test_whoever_dies_between_two_requests_ends_it_the_next_time(
    target: SimulatedSite, kind: str, order: tuple[str, str]
) -> None:
    """``error``: before a change had an effect; ``lost``: after it, and nothing came after."""
    for dies in order:
        nth = 0
        while True:
            nth += 1
            shared(target)
            rule = target.strike(kind, "", "^/flavors/.", nth=nth, times=99, status=400)
            try:
                for token in order:
                    leave(target, token)
            except SiteError:
                pass
            target.heal()
            for token in (dies, *order):
                leave(target, token)
            assert big(target) == [], f"died at request {nth}"
            if not rule.struck:
                break
        assert nth > 3


@pytest.mark.parametrize("order", [(MAKER, USER), (USER, MAKER)])
def test_two_that_go_at_the_same_time_leave_nothing(target: SimulatedSite, order: tuple[str, str]) -> None:
    first, other = order
    for nth in range(1, 9):
        shared(target)
        between(target, nth, lambda: leave(target, other))
        leave(target, first)
        leave(target, other)
        assert big(target) == [], f"the other went before request {nth}"


def between(target: SimulatedSite, nth: int, act: Any) -> None:
    """Do something once, right before the nth request that comes."""
    seen = 0

    def before(sent: Sent) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            act()

    target.before = before


def test_one_that_comes_while_the_last_one_goes_has_it_or_is_told(target: SimulatedSite) -> None:
    flavors.ensure_flavor(target.site, MAKER, BIG, "big")
    (row,) = big(target)
    leave(target, MAKER)
    with pytest.raises(NotFoundInSite):
        flavors.hold_flavor(target.site, USER, row["id"])


def test_the_same_one_that_another_recovery_made_meanwhile_is_held(target: SimulatedSite) -> None:
    made = flavors.ensure_flavor(target.site, MAKER, BIG, "big")
    assert flavors.ensure_flavor(target.site, USER, BIG, "big", fresh=True) == made
    flavors.describe_flavor(target.site, USER, made, "another's words")
    leave(target, MAKER)
    (row,) = big(target)
    assert (row["description"], tokens.read("flavor", row)) == (WORDS, [USER])


def test_an_operators_own_is_neither_held_nor_deleted(target: SimulatedSite) -> None:
    row = make_flavor(target.sim, {"name": "big", "vcpus": 2, "ram": 512, "disk": 10})
    row["extra_specs"] = dict(BIG.extra_specs)
    assert flavors.ensure_flavor(target.site, USER, BIG, "big", fresh=True) == row["id"]
    assert big(target)[0]["extra_specs"] == BIG.extra_specs
    leave(target, USER)
    assert len(big(target)) == 1


def test_servers_of_others_keep_it(target: SimulatedSite) -> None:
    """Of a recovery of an earlier release, which holds nothing; and of the tenant, once everybody has left."""
    made = flavors.ensure_flavor(target.site, MAKER, BIG, "big")
    (row,) = big(target)
    target.add_server("s1", "mme-1", flavor=row, metadata={tokens.KEY: "multisite:job-0:server-1"})
    target.add_server("s2", "own", flavor=row, metadata={tokens.KEY: MAKER.replace("flavor", "server")})
    assert leave(target, MAKER) == {"big": ["mme-1"]}
    assert [one["id"] for one in big(target)] == [made]
    target.add_server("s3", "a tenant's", flavor=row)
    flavors.hold_flavor(target.site, USER, made)
    between(target, 3, lambda: leave(target, MAKER))
    leave(target, USER)
    assert len(big(target)) == 1
