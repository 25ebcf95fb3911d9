"""What is made of the sites' words about a plane: pure decisions, each with its opposite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisite.domain.findings import Comparison
from multisite.domain.plane_drift import (
    Holder,
    NetworkSeen,
    PlaneSiteState,
    RouterSeen,
    SubnetSeen,
    judge,
)
from multisite.domain.planes import MadeAt, PlaneRecord, PlaneState, Realized, Role
from multisite.networks.planes import repair as planes_repair

SITES = ("paris", "lyon")
GATEWAY = "10.1.0.1"
MADE = MadeAt("n", "s", "10.1.0.0/24", "r", 1450, "ext", "p")
RECORD = PlaneRecord(
    "pl", "a", "copy", Role.BACKUP, Realized.L3, SITES, None, "why", PlaneState.ACTIVE, None,
    dict.fromkeys(SITES, MADE), "j",
)  # fmt: skip
WELL = PlaneSiteState(
    "paris", True, network=NetworkSeen(True, 1450), subnet=SubnetSeen("10.1.0.0/24", GATEWAY, True),
    router=RouterSeen(True, "ext"), interface=GATEWAY,
)  # fmt: skip
LOCAL = replace(RECORD, role=Role.MANAGEMENT, realized=Realized.LOCAL)
QUIET = replace(WELL, subnet=SubnetSeen("10.1.0.0/24", None, True), router=None, interface=None)
GUEST, ROUTER = (
    Holder("port mme-1 (compute:nova s-1)", False),
    Holder("port gw (network:router_interface x)", True),
)


def said(record: PlaneRecord, seen: PlaneSiteState, other: PlaneSiteState | None = None) -> Comparison:
    """The second site is well unless something else is said."""
    well = WELL if record.realized is Realized.L3 else QUIET
    return judge("mme", record, [seen, other or replace(well, site="lyon")])


@pytest.mark.parametrize(("record", "well"), [(RECORD, WELL), (LOCAL, QUIET)])
def test_as_it_was_made(record: PlaneRecord, well: PlaneSiteState) -> None:
    assert (said(record, well), said(record, well).in_sync) == (Comparison(()), True)


@pytest.mark.parametrize(
    ("change", "kind", "repairable"),
    [
        ({"network": None}, "network gone", True),
        ({"network": None, "other_networks": ("n2",)}, "network replaced", False),
        ({"network": NetworkSeen(False, 1450)}, "network down", True),
        ({"network": NetworkSeen(True, 1400)}, "mtu changed", False),
        ({"network": NetworkSeen(True, 9000)}, "mtu changed", False),
        ({"subnet": None, "interface": None}, "subnet gone", True),
        ({"subnet": None, "interface": None, "other_subnets": (("s6", "fd00::/64"),)}, "subnet gone", True),
        ({"subnet": None, "other_subnets": (("s2", "10.1.0.0/25"),)}, "subnet replaced", False),
        ({"subnet": None, "other_subnets": (("s2", "10.9.0.0/24"),)}, "subnet replaced", False),
        ({"subnet": SubnetSeen("10.9.0.0/24", GATEWAY, True)}, "cidr changed", False),
        ({"subnet": SubnetSeen("10.1.0.0/24", GATEWAY, False)}, "dhcp off", False),
        ({"subnet": SubnetSeen("10.1.0.0/24", None, True)}, "gateway changed", True),
        ({"subnet": SubnetSeen("10.1.0.0/24", "10.1.0.9", True)}, "gateway changed", True),
        ({"router": None, "interface": None}, "router gone", True),
        ({"router": None, "interface": None, "other_routers": ("r2",)}, "router replaced", False),
        ({"router": RouterSeen(False, "ext")}, "router down", True),
        ({"router": RouterSeen(True, None)}, "external gateway missing", True),
        ({"router": RouterSeen(True, "other")}, "external gateway changed", False),
        ({"interface": None}, "interface missing", True),
        ({"interface": None, "holders": {GATEWAY: GUEST}}, "interface missing", False),
        ({"interface": None, "holders": {"10.1.0.7": GUEST}}, "interface missing", True),
        ({"interface": "10.1.0.9"}, "interface elsewhere", False),
        ({"known": False, "why": "no route"}, "unknown", False),
    ],
)
def test_each_drift_has_its_name(change: dict[str, Any], kind: str, repairable: bool) -> None:
    found = said(RECORD, replace(WELL, **change))
    assert [(d.site, d.kind, d.repairable) for d in found.findings] == [("paris", kind, repairable)]
    assert found.in_sync is (None if kind == "unknown" else False)
    (drift,) = found.findings
    assert all((drift.what, drift.consequence, drift.remedy))
    assert drift.remedy.endswith("plane repair mme copy") or not repairable


@pytest.mark.parametrize(
    ("gateway", "holder", "repairable"),
    [(GATEWAY, None, True), (GATEWAY, GUEST, True), (GATEWAY, ROUTER, False)],
)
def test_a_gateway_that_was_not_there(gateway: str, holder: Holder | None, repairable: bool) -> None:
    subnet = SubnetSeen("10.1.0.0/24", gateway, True)
    (drift,) = said(
        LOCAL, replace(QUIET, subnet=subnet, holders={gateway: holder} if holder else {})
    ).findings
    assert (drift.kind, drift.repairable) == ("gateway changed", repairable)
    assert "default route into this plane" in drift.consequence


def test_what_was_not_noted_is_not_compared() -> None:
    bare = replace(RECORD, made=dict.fromkeys(SITES, replace(MADE, mtu=None, external_id=None)))
    odd = replace(WELL, network=NetworkSeen(True, 1400), router=RouterSeen(True, "other"))
    assert said(bare, odd).in_sync is True
    assert said(RECORD, odd).in_sync is False


def test_unknown_is_never_in_sync() -> None:
    away = PlaneSiteState("lyon", known=False, why="no route")
    assert said(RECORD, WELL, away).in_sync is None
    assert said(RECORD, replace(WELL, network=None), away).in_sync is False, "what is wrong outweighs it"
    assert judge("mme", RECORD, [WELL]).in_sync is None, "a site nobody asked"
    assert judge("mme", replace(RECORD, made={"paris": MADE}), [WELL]).in_sync is False


def test_a_repair_knows_what_to_do_about_all_it_may_repair() -> None:
    """And of nothing else: what is told only must not be in its table."""
    repairable, told = set(), set()
    cases = test_each_drift_has_its_name.pytestmark[0].args[1]  # type: ignore[attr-defined]
    for _, kind, may in cases:
        (repairable if may else told).add(kind)
    assert set(planes_repair._ACTS) == repairable
    assert {"mtu changed", "dhcp off", "cidr changed", "unknown"} <= told - repairable


MAYBE = {
    "network": st.one_of(st.none(), st.builds(NetworkSeen, st.booleans(), st.sampled_from([1400, 1450]))),
    "other_networks": st.sampled_from([(), ("n2",)]),
    "subnet": st.one_of(
        st.none(),
        st.builds(
            SubnetSeen, st.sampled_from(["10.1.0.0/24", "10.9.0.0/24"]),
            st.sampled_from([None, GATEWAY, "10.1.0.9"]), st.booleans(),
        ),
    ),
    "other_subnets": st.sampled_from([(), (("s2", "10.9.0.0/24"),)]),
    "router": st.one_of(
        st.none(), st.builds(RouterSeen, st.booleans(), st.sampled_from([None, "ext", "other"]))
    ),
    "other_routers": st.sampled_from([(), ("r2",)]),
    "interface": st.sampled_from([None, GATEWAY, "10.1.0.9"]),
    "holders": st.dictionaries(st.sampled_from([GATEWAY, "10.1.0.9"]), st.sampled_from([GUEST, ROUTER])),
}  # fmt: skip


@given(
    seen=st.builds(PlaneSiteState, st.just("paris"), st.just(True), **MAYBE),
    realized=st.sampled_from(["l3", "local"]),
)
def test_in_sync_is_only_what_is_exactly_so(seen: PlaneSiteState, realized: str) -> None:
    """Whatever a site says: nothing that differs from what was made passes, and every drift is told in full."""
    record = RECORD if realized == "l3" else LOCAL
    found = said(record, seen)
    subnet, router = seen.subnet, seen.router
    right = (
        seen.network == NetworkSeen(True, 1450)
        and subnet == SubnetSeen("10.1.0.0/24", GATEWAY if realized == "l3" else None, True)
        and (realized == "local" or (router == RouterSeen(True, "ext") and seen.interface == GATEWAY))
    )
    assert found.in_sync is right, found
    kinds = [d.kind for d in found.findings]
    assert len(kinds) == len(set(kinds))
    assert all(d.what and d.consequence and d.remedy for d in found.findings)
    assert all(d.kind in planes_repair._ACTS for d in found.findings if d.repairable)
