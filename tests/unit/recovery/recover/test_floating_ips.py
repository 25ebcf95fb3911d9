"""What becomes of floating IPs in a recovery, decided from the operator's rules and what is at the target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain import manifest as manifests
from multisite.domain.findings import Severity
from multisite.domain.manifest import Manifest
from multisite.domain.routing import FloatingIpRecord, RouterGateway, RouterInterface, RouterRecord
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.routing.target import TargetFloatingIp, TargetRouter
from multisite.recovery.recover.target_facts import TargetFacts, TargetNetwork, TargetSubnet
from tests.unit.recovery.recover_samples import facts, look, made, manifest

ADDRESS = "203.0.113.7"
FLOATING = FloatingIpRecord("f1", ADDRESS, "x1", "public", "p-web1-0", "10.0.0.10", "seen")
ROUTER = RouterRecord(
    "r1", "edge", (RouterInterface("s0", "10.0.0.1"),), gateway=RouterGateway("x1", "public", True)
)
PUBLIC = TargetNetwork(
    "t-x1", "public", "ops", external=True, subnets=(TargetSubnet("t-xs", "", "t-x1", "198.51.100.0/24", 4),)
)
FREE = TargetFloatingIp("t-f1", "198.51.100.9", "t-x1", None)


def point(*floating: FloatingIpRecord) -> Manifest:
    found = manifest()
    first, second = found.subnets
    subnets = (replace(first, gateway_address="10.0.0.1"), second)
    return replace(found, subnets=subnets, routers=(ROUTER,), floating_ips=floating or (FLOATING,))


def target(**more: Any) -> TargetFacts:
    values = {"network_extensions": frozenset({"router"}), "networks": (PUBLIC,)}
    return facts(**{**values, **more})


def to(wanted: str, **more: Any) -> dict[str, Any]:
    return {"floating_ips": {ADDRESS: wanted}, **more}


def said(found: TargetFacts, mapping: Any = None, wanted: Manifest | None = None) -> list[tuple[str, str]]:
    problems = look(wanted or point(), found, mapping).problems
    return [(p.severity, p.what) for p in problems if p.kind.startswith("floating IP")]


@pytest.mark.parametrize("pool", ["public", "t-x1"])
def test_a_new_one_of_an_external_network(pool: str) -> None:
    plan = made(point(), target(), to(pool))
    (one,) = plan.floating_ips
    assert (one.use, one.network_id, one.address, one.fixed_address) == (None, "t-x1", None, "10.0.0.10")
    assert said(target(), to(pool)) == []
    assert RecoverPlan.from_json(plan.to_json()) == plan


def test_one_that_is_there() -> None:
    found = target(floating_ips=(FREE,))
    (one,) = made(point(), found, to(FREE.address)).floating_ips
    assert (one.use, one.network_id) == ("t-f1", "t-x1")
    assert said(found, to(FREE.address)) == []


@pytest.mark.parametrize(
    ("more", "wanted", "words"),
    [
        ({"floating_ips": (replace(FREE, port_id="t-p"),)}, FREE.address, "which leads to port t-p at lyon"),
        ({"floating_ips": (FREE, replace(FREE, id="t-f2"))}, FREE.address, "which 2 at lyon have"),
        ({"may_choose_address": False}, "198.51.100.77", "our account may not choose an address"),
        ({}, "192.0.2.1", "and 0 external networks there have it"),
        ({}, "lan", "which is not at lyon"),
    ],
)
def test_what_it_cannot_be_mapped_to_is_in_the_way(more: Any, wanted: str, words: str) -> None:
    ((severity, what),) = said(target(**more), to(wanted))
    assert severity is Severity.BLOCKING
    assert words in what
    assert made(point(), target(**more), to(wanted)).floating_ips == ()


def test_one_for_two_is_in_the_way() -> None:
    both = point(FLOATING, replace(FLOATING, id="f2", address="203.0.113.8", port_id="p-web2-0"))
    mapping = {"floating_ips": {"f1": FREE.address, "f2": FREE.address}}
    found = said(target(floating_ips=(FREE,)), mapping, both)
    assert [what for _, what in found] == ["mapping.floating_ips maps another one to the same address"] * 2
    of_the_pool = {"floating_ips": {"f1": "public", "f2": "public"}}
    assert said(target(), of_the_pool, both) == []


def test_a_way_out_is_needed() -> None:
    """By a router that is made, one that is used, or one of the network it is mapped to."""
    none = replace(point(), routers=())
    words = "no router leads from network plane0 to external network public at lyon"
    assert said(target(), to("public"), none) == [(Severity.BLOCKING, words)]
    there = TargetRouter("t-r", "theirs", external_id="t-x1")
    used = target(routers=(there,))
    assert said(used, to("public", routers={"edge": "theirs"})) == []
    elsewhere = target(routers=(replace(there, external_id="t-x2"),))
    assert said(elsewhere, to("public", routers={"edge": "theirs"})) == [(Severity.BLOCKING, words)]


@pytest.mark.parametrize(
    ("owner", "inside", "blocked"), [("t-proj", True, False), ("t-proj", False, True), ("ops", False, False)]
)
def test_of_a_mapped_network_its_own_router_leads_out(owner: str, inside: bool, blocked: bool) -> None:
    """Another project's routers are not shown to us."""
    lan = TargetNetwork("t-n", "lan", owner, subnets=(TargetSubnet("t-s", "", "t-n", "10.0.0.0/24", 4),))
    router = TargetRouter("t-r", "theirs", frozenset({"t-s"} if inside else ()), "t-x1")
    found = target(networks=(PUBLIC, lan), routers=(router,))
    assert bool(said(found, to("public", networks={"plane0": "lan"}))) is blocked


def test_where_a_port_gets_another_address_the_site_chooses() -> None:
    lan = TargetNetwork("t-n", "lan", "ops", subnets=(TargetSubnet("t-s", "", "t-n", "10.0.0.0/24", 4),))
    mapping = to("public", networks={"plane0": "lan"}, keep_addresses=False)
    (one,) = made(point(), target(networks=(PUBLIC, lan)), mapping).floating_ips
    assert one.fixed_address is None


def test_a_dns_name_where_neutron_has_none_is_told() -> None:
    named = point(replace(FLOATING, dns_name="www", dns_domain="example."))
    ((severity, what),) = said(target(), to("public"), named)
    assert severity is Severity.NOTE
    assert what.startswith("its DNS name cannot be set at lyon")
    assert made(named, target(), to("public")).floating_ips[0].record.dns_name == ""
    has = target(network_extensions=frozenset({"router", "dns-integration"}))
    assert made(named, has, to("public")).floating_ips[0].record.dns_name == "www"


@pytest.mark.parametrize("part", ["floating_ips", "routers"])
def test_what_is_not_known_of_the_target_is_in_the_way(part: str) -> None:
    problems = look(point(), target(unknown={part: "no answer"}), to("public")).problems
    assert any(p.blocking and "no answer" in p.what for p in problems)


def test_one_of_a_port_that_is_not_described_is_in_the_way() -> None:
    problems = look(point(replace(FLOATING, port_id="p9")), target()).problems
    assert any(f"floating IP {ADDRESS}: port p9 is named in it but not described" in p.what for p in problems)


def test_manifests_and_plans_without_any_load() -> None:
    assert b"floating_ips" not in manifests.dump(manifest())
    assert manifests.load(manifests.dump(point())) == point()
    old = made(point(), target()).to_json()
    del old["floating_ips"]
    assert RecoverPlan.from_json(old).floating_ips == ()
