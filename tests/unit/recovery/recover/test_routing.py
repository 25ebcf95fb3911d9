"""Which routers a recovery makes or uses, decided from a restore point and what is at the target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain import manifest as manifests
from multisite.domain.findings import Severity
from multisite.domain.manifest import Manifest
from multisite.domain.routing import RouterGateway, RouterInterface, RouterRecord
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.routing.target import TargetRouter
from multisite.recovery.recover.target_facts import TargetFacts, TargetNetwork, TargetSubnet
from tests.unit.recovery.recover_samples import facts, look, made, manifest, quota

ROUTE = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
ROUTER = RouterRecord(
    "r1", "edge", (RouterInterface("s0", "10.0.0.1"), RouterInterface("s1", "10.1.0.7")), "way out",
    tags=("red",), routes=(ROUTE, {"destination": "10.8.0.0/16", "nexthop": "192.0.2.1"}),
    gateway=RouterGateway("x1", "public", True, ("192.0.2.5",)),
)  # fmt: skip
PUBLIC = TargetNetwork("t-x1", "public", "t-ops", external=True)


def point(*routers: RouterRecord) -> Manifest:
    """The first subnet has its gateway at .1, the second has none."""
    found = manifest()
    first, second = found.subnets
    subnets = (replace(first, gateway_address="10.0.0.1"), second)
    return replace(found, subnets=subnets, routers=routers or (ROUTER,))


def target(**more: Any) -> TargetFacts:
    values = {"network_extensions": frozenset({"router", "extraroute-atomic"}), "networks": (PUBLIC,)}
    return facts(**{**values, **more})


def said(found: TargetFacts, mapping: Any = None, wanted: Manifest | None = None) -> list[tuple[str, str]]:
    problems = look(wanted or point(), found, mapping).problems
    return [(p.severity, p.what) for p in problems if p.kind == "router edge"]


def test_what_is_made_of_a_router() -> None:
    plan = made(point(), target())
    (router,) = plan.routers
    assert [(i.network_id, i.address, i.at_gateway) for i in router.interfaces] == [
        ("n0", "10.0.0.1", True), ("n1", "10.1.0.7", False)
    ]  # fmt: skip
    assert (router.use, router.external_id, router.snat, router.routes) == (None, "t-x1", True, (ROUTE,))
    assert said(target()) == [
        (
            Severity.NOTE,
            "routes 10.8.0.0/16 via 192.0.2.1 are not set: no network that is made has the next hop",
        )
    ]
    assert RecoverPlan.from_json(plan.to_json()) == plan
    older = plan.to_json()
    for interface in older["routers"][0]["interfaces"]:
        del interface["record"]
    assert [i.record for i in RecoverPlan.from_json(older).routers[0].interfaces] == [None, None]


def test_a_plan_of_an_earlier_release_has_none() -> None:
    old = made(point(), target()).to_json()
    del old["routers"]
    assert RecoverPlan.from_json(old).routers == ()


def test_a_manifest_without_routers_keeps_its_bytes() -> None:
    assert b"routers" not in manifests.dump(manifest())
    assert manifests.load(manifests.dump(point())) == point()
    assert b'"interfaces":[{"address":"10.0.0.1","subnet_id":"s0"},' in manifests.dump(point())
    named = replace(ROUTER, interfaces=(RouterInterface("s0", "10.0.0.1", "gw", "words", ("red",)),))
    assert manifests.load(manifests.dump(point(named))) == point(named)


def test_an_interface_in_a_subnet_that_is_not_described_is_in_the_way() -> None:
    lost = replace(ROUTER, interfaces=(RouterInterface("s9", "10.0.0.1"),))
    problems = look(point(lost), target()).problems
    assert any("router edge: subnet s9 is named in it but not described" in p.what for p in problems)


def test_source_nat_nobody_may_switch_off_is_told() -> None:
    assert ROUTER.gateway is not None
    off = point(replace(ROUTER, routes=(), gateway=replace(ROUTER.gateway, enable_snat=False)))
    assert made(off, target()).routers[0].snat is False
    assert said(target(), wanted=off) == []
    member = target(may_set_snat=False)
    assert made(off, member).routers[0].snat is True
    ((severity, what),) = said(member, wanted=off)
    assert severity is Severity.NOTE
    assert what.startswith("its source NAT, which is off at the source, cannot be switched off")


def test_routes_where_neutron_cannot_add_them_are_told() -> None:
    found = target(network_extensions=frozenset({"router"}))
    assert made(point(), found).routers[0].routes == ()
    assert "Neutron at lyon lacks the extension extraroute-atomic" in " ".join(
        what for _, what in said(found)
    )


@pytest.mark.parametrize("part", ["routers", "network_extensions", "networks"])
def test_what_is_not_known_of_the_target_is_in_the_way(part: str) -> None:
    found = target(unknown={part: "no answer"})
    assert made(point(), found).routers == ()
    assert any(p.blocking and "no answer" in p.what for p in look(point(), found).problems)


@pytest.mark.parametrize(("cidr", "blocked"), [("10.0.0.0/16", True), ("10.7.0.0/24", False)])
def test_a_mapped_router_gets_what_does_not_overlap(cidr: str, blocked: bool) -> None:
    inside = TargetNetwork("t-n", "inside", "t-proj", subnets=(TargetSubnet("t-s", "", "t-n", cidr, 4),))
    there = TargetRouter("t-r", "theirs", frozenset({"t-s"}))
    found = target(networks=(inside, PUBLIC), routers=(there,))
    mapping = {"routers": {"edge": "theirs"}}
    assert any(severity is Severity.BLOCKING for severity, _ in said(found, mapping)) is blocked
    (router,) = made(point(), found, mapping).routers
    assert (router.use, router.name, router.external_id) == ("t-r", "theirs", None)


def test_quotas_count_the_router_and_its_interfaces() -> None:
    ports = len(point().ports) + 2  # DHCP's
    few = {"router": quota("router", 1, 1), "port": quota("port", ports + 1)}
    problems = look(point(), target(quotas=few)).problems
    assert [p.kind for p in problems if p.kind.startswith("quota")] == ["quota port", "quota router"]
    enough = {"router": quota("router", 1), "port": quota("port", ports + 2)}
    assert [p for p in look(point(), target(quotas=enough)).problems if p.kind.startswith("quota")] == []
