"""What stretching takes, and every refusal with its field."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisite.clouds.stretched import NetworkFact, SiteFacts, SubnetFact, endpoints
from multisite.domain.errors import Invalid
from multisite.domain.stretched import REMOTE_AGENT, Gateway, PortFact, StretchKind
from multisite.networks.stretch.order import StretchOrder, checked
from multisite.networks.stretch.plan import StretchPlan, make_plan

ORDER = StretchOrder("hb", ("a", "b"), cidr="10.0.0.0/24")
ROOM: dict[str, int | None] = {"network": 10, "subnet": 10, "port": None}


def site(name: str, **more: Any) -> SiteFacts:
    number = ord(name) - ord("a") + 1
    values: dict[str, Any] = {
        "project_id": f"p-{name}", "extensions": frozenset({"remote-port", "provider"}), "admin": True,
        "endpoints": (f"172.31.{number}.1",), "networks": (), "room": ROOM,
    }  # fmt: skip
    return SiteFacts(site=name, **values | more)


def network(**more: Any) -> NetworkFact:
    subnet = SubnetFact("s-1", "10.0.0.0/24", None, True, (("10.0.0.10", "10.0.0.99"),))
    values: dict[str, Any] = {
        "id": "n-1", "name": "data", "project_id": "p-a", "kind": "vxlan", "segment": 5000, "physical_network": None,
        "mtu": 1450, "port_security": True, "subnets": (subnet,),
    }  # fmt: skip
    return NetworkFact(**values | more)


def plan(order: StretchOrder = ORDER, *sites: SiteFacts, **more: Any) -> StretchPlan:
    found = {s.site: s for s in sites or (site("a"), site("b"))}
    return make_plan(checked(order), found, more.pop("silent", {}), **more)


def said(made: StretchPlan) -> str:
    found = (f"site {p.site}: {p.kind}: {p.what} [{p.remedy}]" for p in made.problems if p.blocking)
    return "; ".join(found)


def test_two_sites_with_nothing_in_the_way() -> None:
    made = plan()
    assert (made.startable, made.segment, made.cidr, made.mtu) == (True, 5000, "10.0.0.0/24", None)
    assert [m.pool for m in made.members] == [("10.0.0.1", "10.0.0.127"), ("10.0.0.128", "10.0.0.254")]
    assert "create network hb at a: vxlan 5000, 10.0.0.0/24" in made.actions


def test_the_segment_is_free_in_every_site() -> None:
    used = (network(segment=5000), network(segment=5002))
    assert (
        plan(ORDER, site("a", networks=used[:1]), site("b", networks=used[1:]), taken={5001}).segment == 5003
    )
    full = plan(ORDER, vni_range=(7, 7), taken={7})
    assert "segment: no VNI from 7 to 7 is free" in said(full)
    asked = plan(replace(ORDER, segment=5000), site("a", networks=used[:1]), site("b"))
    assert "site a: segment: 5000 is network data's there" in said(asked)


def test_a_silent_site_is_not_a_free_one() -> None:
    made = plan(ORDER, site("a"), silent={"b": "connection refused"})
    assert made.segment is None
    assert "site b: unknown: it does not tell what it has" in said(made)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extensions": frozenset({"provider"})}, "no extension remote-port [install multisite-neutron"),
        ({"endpoints": ()}, "tunnels VXLAN and has l2_population"),
        ({"endpoints": ("172.31.1.1",)}, "both have hosts with the tunnel endpoint 172.31.1.1"),
        ({"admin": False}, "no role admin"),
        ({"room": {"port": 1}}, "quota: the project may have 1 more ports, 2 are needed"),
        ({"adopt": network(segment=5001)}, "segment: their networks differ: 5000 and 5001"),
        ({"adopt": network(mtu=1400)}, "mtu: their networks differ: 1450 and 1400"),
        ({"adopt": network(kind="vlan")}, "kind: it is vlan, not vxlan"),
        ({"adopt": network(subnets=())}, "adopt: it has 0 subnets"),
        ({"adopt": network()}, "pools: they overlap"),
        (
            {"adopt": network(subnets=(SubnetFact("s", "10.1.0.0/24", None, True, ()),))},
            "cidr: their networks differ",
        ),
        (
            {"adopt": network(subnets=(SubnetFact("s", "10.0.0.0/24", "10.0.0.1", True, ()),))},
            "gateway: its subnet names 10.0.0.1, not none",
        ),
    ],
)
def test_what_is_in_the_way_is_named(change: dict[str, Any], words: str) -> None:
    order = replace(ORDER, cidr=None, adopt={"a": "data"})
    made = plan(order, site("a", adopt=network()), site("b", **change))
    assert words in said(made)
    assert not made.startable


def test_an_mtu_that_is_probably_too_big_is_told() -> None:
    order = replace(ORDER, cidr=None, adopt={"a": "data"})
    made = plan(order, site("a", adopt=network()), site("b", networks=(network(mtu=1400, segment=9),)))
    assert made.startable
    assert "mtu: 1450 is more than the 1400 of its other networks" in str(made.problems[0])


def test_an_address_of_two_guests_is_refused() -> None:
    port = PortFact("1", "fa:00:00:00:00:01", ("10.0.0.10",), "compute:nova", "172.31.1.1")
    one = site("a", adopt=network(), ports=(port,))
    other = site("b", adopt=network(), ports=(replace(port, id="2"),))
    order = replace(ORDER, adopt={"a": "data", "b": "data"})
    assert "address 10.0.0.10 is used twice: port 1 of site a, port 2 of site b" in said(
        plan(order, one, other)
    )


def test_an_adopted_pool_is_kept_and_the_rest_is_shared() -> None:
    order = replace(ORDER, cidr=None, sites=("a", "b", "c"), adopt={"a": "data"})
    made = plan(order, site("a", adopt=network()), site("b"), site("c"))
    pools = [m.pool for m in made.members]
    assert pools == [("10.0.0.10", "10.0.0.99"), ("10.0.0.100", "10.0.0.176"), ("10.0.0.177", "10.0.0.253")]
    assert (made.startable, made.segment, made.mtu) == (True, 5000, 1450)
    narrow = replace(order, pools={"a": ("10.0.0.10", "10.0.0.49")})
    assert set(plan(narrow, site("a", adopt=network()), site("b"), site("c")).set_pools) == {"a"}


def test_gateways() -> None:
    one = plan(replace(ORDER, gateway=Gateway.SITE, gateway_site="b"))
    assert {m.gateway for m in one.members} == {"10.0.0.1"}
    each = plan(replace(ORDER, gateway=Gateway.EACH))
    assert [m.gateway for m in each.members] == ["10.0.0.1", "10.0.0.2"]
    assert all(p.blocking is False for p in each.problems)
    assert next(m.pool[0] for m in each.members if m.pool) == "10.0.0.3"


def test_provider_networks_need_no_tunnels() -> None:
    order = replace(ORDER, kind=StretchKind.VLAN, segment=100, physical_networks={"a": "dc1", "b": "dc2"})
    bare = {"extensions": frozenset({"provider"}), "endpoints": ()}
    made = plan(order, site("a", **bare), site("b", **bare))
    assert (made.startable, made.segment) == (True, 100)
    assert not any("remote port" in action for action in made.actions)
    assert any("switches must carry" in note for note in made.notes)
    other = plan(
        order, site("a", networks=(network(kind="vlan", segment=100, physical_network="dc1"),)), site("b")
    )
    assert "segment: 100 is network data's there" in said(other)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sites": ("a",)}, "sites"),
        ({"sites": ("a", "a")}, "sites"),
        ({"cidr": None}, "cidr"),
        ({"cidr": "10.0.0.1/24"}, "cidr"),
        ({"cidr": "10.0.0.0/31"}, "cidr"),
        ({"pools": {"a": ("10.1.0.1", "10.1.0.9")}}, "pools"),
        ({"pools": {"a": ("10.0.0.9", "10.0.0.1")}}, "pools"),
        ({"adopt": {"c": "data"}}, "adopt"),
        ({"gateway": Gateway.SITE}, "gateway_site"),
        ({"dhcp": "c"}, "dhcp"),
        ({"segment": 1 << 24}, "segment"),
        ({"kind": StretchKind.VLAN}, "segment"),
        ({"kind": StretchKind.FLAT}, "physical_networks"),
        ({"physical_networks": {"a": "x"}}, "physical_networks"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=f"^{field}: "):
        checked(replace(ORDER, **change))


@given(st.integers(16, 28), st.integers(2, 6), st.sampled_from(list(Gateway)))
def test_pools_never_overlap_nor_hold_a_gateway(prefix: int, count: int, gateway: Gateway) -> None:
    names = tuple("abcdef"[:count])
    order = StretchOrder("hb", names, cidr=f"10.0.0.0/{prefix}", gateway=gateway, gateway_site="a")
    made = plan(order, *(site(name) for name in names))
    if not made.startable:
        return
    spans = sorted((int(ip_address(m.pool[0])), int(ip_address(m.pool[1]))) for m in made.members if m.pool)
    assert len(spans) == count
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    block = ip_network(order.cidr or "")
    assert all(ip_address(end) in block for span in spans for end in span)
    for member in made.members:
        if member.gateway:
            assert not any(a <= int(ip_address(member.gateway)) <= b for a, b in spans)


def test_shadow_agents_are_nobodys_hosts() -> None:
    settings = {"tunneling_ip": "1.1.1.1", "tunnel_types": ["vxlan"], "l2_population": True}
    agent = {
        "agent_type": "Open vSwitch agent",
        "alive": True,
        "admin_state_up": True,
        "configurations": settings,
    }
    assert endpoints([agent]) == ("1.1.1.1",)
    assert endpoints([agent | {"agent_type": REMOTE_AGENT}, agent | {"alive": False}]) == ()
    assert endpoints([agent | {"configurations": settings | {"l2_population": False}}]) == ()
