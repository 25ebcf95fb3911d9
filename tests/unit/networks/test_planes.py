"""The planes of an application."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.clouds.planes import PlaneFacts
from multisite.domain.errors import Invalid
from multisite.domain.planes import DEFAULTS, SENTENCES, PlaneState, Realized, Role, parse
from multisite.networks.planes.orders import orders
from multisite.networks.planes.plan import PlanePlan, make_plan

SITES = ("paris", "lyon")
FOUR = [
    {"name": "ext", "role": "external"},
    {"name": "hb", "role": "inter-component", "cidr": "10.1.0.0/24"},
    {"name": "copy", "role": "backup"},
    {"name": "mgmt", "role": "management"},
]


def test_four_planes_as_usual() -> None:
    planes = parse(FOUR, SITES)
    assert [p.realized for p in planes] == [Realized.LOCAL, Realized.STRETCHED, Realized.L3, Realized.LOCAL]
    (order,) = orders("mme", planes)
    assert (order.name, order.sites, order.cidr) == ("mme-hb", SITES, "10.1.0.0/24")
    said = [plane.explained("mme") for plane in planes]
    assert len(said) == 4
    assert all(DEFAULTS[Role(str(one["role"]))][1] in line for one, line in zip(FOUR, said, strict=True))


def test_the_operator_decides() -> None:
    (plane,) = parse(
        [{"name": "m", "role": "management", "realized": "stretched", "cidr": "10.2.0.0/24"}], SITES
    )
    assert (plane.realized, plane.why) == (Realized.STRETCHED, "as the operator said")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"role": "backup"}], r"planes\[0\]: name"),
        ([{"name": "x", "role": "data"}], r"planes\[0\] \(x\): role: 'data' is not one of external"),
        ([{"name": "x", "role": "backup", "realized": "l2"}], "realized: 'l2'"),
        ([{"name": "x", "role": "backup", "color": 1}], "color: not a field"),
        ([{"name": "x", "role": "backup", "sites": ["oslo"]}], "sites: oslo is not a site"),
        ([{"name": "x", "role": "backup", "sites": ["lyon"]}], "sites: a plane realized as l3 connects two"),
        ([{"name": "x", "role": "inter-component"}], "cidr: a stretched plane"),
        ([{"name": "x", "role": "inter-component", "cidr": "10.0.0.1/8"}], "cidr: '10.0.0.1/8' is not"),
        ([{"name": "x", "role": "inter-component", "cidr": "fd00::/64"}], "cidr: 'fd00::/64' is not"),
        ([{"name": "x", "role": "backup", "sites": ["lyon", "lyon"]}], "sites: each of them once"),
        ([{"name": "x/y", "role": "backup"}], r"planes\[0\] \(x/y\): name: 1 to 64 letters"),
        ([{"name": "x", "role": "backup", "cidr": "10.0.0.0/30"}], "cidr: '10.0.0.0/30' is not .* no room"),
        ([FOUR[0], FOUR[0]], "each needs a name of its own"),
        ([FOUR[1], {**FOUR[1], "name": "y", "cidr": "10.1.0.128/25"}], "overlap"),
    ],
)
def test_what_is_wrong_is_named(entries: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse(entries, SITES)


def test_planes_may_name_more_sites_than_those_of_the_others() -> None:
    both = [{"name": "hb", "role": "backup", "sites": ["paris", "oslo"]}, {"name": "m", "role": "management"}]
    assert [p.sites for p in parse(both, ("paris",), ("paris", "oslo"))] == [("paris", "oslo"), ("paris",)]
    with pytest.raises(Invalid, match="rome is not a site of the application; it may be: paris, oslo"):
        parse([{"name": "m", "role": "management", "sites": ["rome"]}], ("paris",), ("paris", "oslo"))


def test_states_have_sentences() -> None:
    assert set(SENTENCES) == set(PlaneState)


# What it takes to make one

ROOM = {"network": 5, "subnet": 5, "port": 5, "router": 5}


def facts(site: str, **more: Any) -> PlaneFacts:
    values: dict[str, Any] = {
        "project_id": f"p-{site}", "pool": ("pool-1", "usual"), "external_id": "ext-1", "external_trouble": "",
        "room": ROOM,
    } | more  # fmt: skip
    return PlaneFacts(site, **values)


def planned(entry: dict[str, Any], silent: dict[str, str] | None = None, **more: Any) -> PlanePlan:
    (plane,) = parse([{"name": "x", **entry}], SITES)
    known = {site: facts(site, **more) for site in SITES if site not in (silent or {})}
    return make_plan("mme", plane, known, silent or {})


@pytest.mark.parametrize(
    ("role", "realized", "gateway", "router"),
    [
        ("external", "local", True, False),
        ("management", "local", False, False),
        ("management", "l3", True, True),
        ("backup", "l3", True, True),
    ],
)
def test_what_is_made_in_each_site(role: str, realized: str, gateway: bool, router: bool) -> None:
    plan = planned({"role": role, "realized": realized})
    assert (plan.name, plan.startable, plan.problems) == ("mme-x", True, ())
    assert [p.site for p in plan.parts] == list(SITES)
    for part in plan.parts:
        assert (part.gateway, part.external_id is not None) == (gateway, router)
        assert (part.cidr, part.pool_id, part.project_id) == (None, "pool-1", f"p-{part.site}")
    assert len(plan.actions) == (4 if router else 2)


def test_its_own_addresses_need_no_pool() -> None:
    plan = planned({"role": "management", "cidr": "10.1.0.0/24"}, pool=None)
    assert plan.startable
    assert [(p.cidr, p.pool_id) for p in plan.parts] == [("10.1.0.0/24", None)] * 2


@pytest.mark.parametrize(
    ("entry", "more", "words"),
    [
        ({"role": "management"}, {"pool": None}, "no default subnet pool"),
        ({"role": "backup"}, {"external_id": None, "external_trouble": "there are several"}, "several"),
        ({"role": "management"}, {"room": {**ROOM, "network": 0}}, "0 more networks, 1 are needed"),
        ({"role": "backup"}, {"room": {**ROOM, "port": 1}}, "1 more ports, 2 are needed"),
        ({"role": "backup"}, {"room": {**ROOM, "router": 0}}, "0 more routers"),
    ],
)
def test_what_is_in_the_way_is_said(entry: dict[str, Any], more: dict[str, Any], words: str) -> None:
    plan = planned(entry, **more)
    assert not plan.startable
    assert [(p.site, words in p.what) for p in plan.problems] == [(s, True) for s in SITES]


def test_silence_is_not_a_yes() -> None:
    plan = planned({"role": "management"}, {"lyon": "no route"})
    assert (plan.startable, [p.site for p in plan.problems]) == (False, ["lyon"])
    unlimited = planned({"role": "backup"}, room={"network": None})
    assert unlimited.startable, "None is unlimited, absent is not counted"
