"""What Multisite relies on in Neutron for an application's planes: routers (where it has them), and subnet pools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from multisite.clouds import plane_state, planes, resources, routers, stretched
from multisite.clouds.errors import ConflictInSite, Refused
from multisite.domain.plane_drift import NetworkSeen, PlaneSiteState, RouterSeen, SubnetSeen
from multisite.domain.planes import MadeAt
from tests.contract.sites.pair import Check, Pair, refused, send, where_neutron_has
from tests.sim.deploy import ask


def _subnet(pair: Pair, network_id: str, cidr: str) -> str:
    body = {"subnet": {"network_id": network_id, "ip_version": 4, "cidr": cidr}}
    return str(ask(pair.one.network, "POST", "/subnets", body)["subnet"]["id"])


def _network(pair: Pair) -> str:
    made = ask(pair.one.network, "POST", "/networks", {"network": {"name": pair.name("net")}})["network"][
        "id"
    ]
    pair.later(send, pair.one.network, "DELETE", f"/networks/{made}")
    return str(made)


@where_neutron_has("router")
def a_router_is_made_once_and_removed_by_its_token(pair: Pair) -> None:
    one, token, network_id = pair.one, pair.token("router"), _network(pair)
    subnet = _subnet(pair, network_id, "10.79.0.0/24")
    fields = {"name": pair.name("router")}
    made = resources.ensure(one, "router", token, fields)["id"]
    pair.later(routers.remove, one, token, made, subnet)
    assert resources.ensure(one, "router", token, fields)["id"] == made
    assert [f.id for f in resources.find(one, "router", token)] == [made]
    for _ in range(2):
        routers.attach(one, made, subnet)
    port = ask(one.network, "GET", f"/ports?device_id={made}")["ports"]
    assert [ip["ip_address"] for p in port for ip in p["fixed_ips"]] == ["10.79.0.1"]
    body = {"subnet_id": subnet}
    path = f"/routers/{made}"
    refused(send(one.network, "PUT", f"{path}/add_router_interface", body), 400, "already has a port", subnet)
    refused(send(one.network, "DELETE", path), 409, made, "ports")
    refused(send(one.network, "DELETE", f"/subnets/{subnet}"), 409, subnet)
    with pytest.raises(ConflictInSite):
        resources.remove(one, "network", pair.token("none"), network_id)
    assert planes.guests(one, network_id, made) == []
    assert len(planes.guests(one, network_id, None)) == 1
    routers.remove(one, token, None, subnet)
    refused(send(one.network, "PUT", f"{path}/remove_router_interface", body), 404, made)
    refused(send(one.network, "GET", path), 404, made)
    routers.detach(one, made, subnet)
    stretched.remove(one, "subnet", pair.token("none"), subnet)


@where_neutron_has("router")
def a_subnet_without_gateway_takes_no_router(pair: Pair) -> None:
    one, token = pair.one, pair.token("router")
    subnet = ask(one.network, "GET", f"/networks/{pair.network()}")["network"]["subnets"][0]
    made = resources.ensure(one, "router", token, {"name": pair.name("router")})["id"]
    pair.later(routers.remove, one, token, made, subnet)
    with pytest.raises(Refused, match="gateway"):
        routers.attach(one, made, subnet)
    assert not routers.attached(one, made, subnet)


def _made(pair: Pair, network_id: str, subnet: str, router: str | None = None) -> MadeAt:
    network = ask(pair.one.network, "GET", f"/networks/{network_id}")["network"]
    return MadeAt(network_id, subnet, "10.79.0.0/24", router, int(network["mtu"]))


def what_a_plane_has_is_seen_and_set_back(pair: Pair) -> None:
    """A network's administrative state, a subnet's gateway and DHCP; and namesakes, which carry no token."""
    one, network_id = pair.one, _network(pair)
    name = ask(one.network, "GET", f"/networks/{network_id}")["network"]["name"]
    made = _made(pair, network_id, _subnet(pair, network_id, "10.79.0.0/24"))

    def seen() -> PlaneSiteState:
        return plane_state.read_state(one, name, made)

    subnet = SubnetSeen("10.79.0.0/24", "10.79.0.1", dhcp=True)
    well = (NetworkSeen(up=True, mtu=int(made.mtu or 0)), subnet)
    assert (seen().network, seen().subnet, seen().other_networks, seen().holders) == (*well, (), {})
    ask(one.network, "PUT", f"/networks/{network_id}", {"network": {"admin_state_up": False}})
    changed = {"subnet": {"gateway_ip": None, "enable_dhcp": False}}
    ask(one.network, "PUT", f"/subnets/{made.subnet_id}", changed)
    assert seen().network == replace(well[0], up=False)
    assert seen().subnet == replace(subnet, gateway=None, dhcp=False)
    for _ in range(2):
        plane_state.enable(one, "network", network_id)
        plane_state.set_gateway(one, made.subnet_id, "10.79.0.1")
    assert (seen().network, seen().subnet) == (well[0], replace(subnet, dhcp=False))
    inside = {"subnet": {"gateway_ip": "10.79.0.9"}}
    refused(
        send(one.network, "PUT", f"/subnets/{made.subnet_id}", inside), 409, "10.79.0.9", "allocation pool"
    )
    address = {"subnet_id": made.subnet_id, "ip_address": "10.79.0.1"}
    port = pair.port(network_id, fixed_ips=[address])
    assert list(seen().holders) == ["10.79.0.1"], "a guest may take an address outside the pools"
    assert not seen().holders["10.79.0.1"].router
    ask(one.network, "DELETE", f"/ports/{port}")
    ask(one.network, "DELETE", f"/networks/{network_id}")
    twin = ask(one.network, "POST", "/networks", {"network": {"name": name}})["network"]["id"]
    pair.later(send, one.network, "DELETE", f"/networks/{twin}")
    ours = resources.ensure(one, "network", pair.token("network"), {"name": name})["id"]
    pair.later(send, one.network, "DELETE", f"/networks/{ours}")
    assert (seen().network, seen().subnet, seen().other_networks) == (None, None, (twin,))


@where_neutron_has("router")
def a_planes_router_is_seen_and_set_back(pair: Pair) -> None:
    """Neutron keeps a subnet's gateway while a router is at it; without interface it may be changed."""
    one, network_id = pair.one, _network(pair)
    subnet, token = _subnet(pair, network_id, "10.79.0.0/24"), pair.token("router")
    router = resources.ensure(one, "router", token, {"name": pair.name("router")})["id"]
    pair.later(routers.remove, one, token, router, subnet)
    made = _made(pair, network_id, subnet, router)

    def seen() -> PlaneSiteState:
        return plane_state.read_state(one, "nobody is called so", made)

    assert (seen().router, seen().interface) == (RouterSeen(up=True, external_id=None), None)
    routers.attach(one, router, subnet)
    assert (seen().interface, seen().holders) == ("10.79.0.1", {})
    theirs = plane_state.read_state(one, "nobody is called so", replace(made, router_id=None))
    assert (theirs.interface, theirs.holders["10.79.0.1"].router) == (None, True)
    with pytest.raises(ConflictInSite, match="already in use by port"):
        plane_state.set_gateway(one, subnet, None)
    ask(one.network, "PUT", f"/routers/{router}", {"router": {"admin_state_up": False}})
    assert seen().router == RouterSeen(up=False, external_id=None)
    plane_state.enable(one, "router", router)
    assert seen().router == RouterSeen(up=True, external_id=None)
    external = {"network": {"name": pair.name("external"), "router:external": True}}
    outside = ask(one.network, "POST", "/networks", external)["network"]["id"]
    pair.later(send, one.network, "DELETE", f"/networks/{outside}")
    _subnet(pair, outside, "10.81.0.0/24")
    for _ in range(2):
        plane_state.set_external_gateway(one, router, outside)
    assert seen().router == RouterSeen(up=True, external_id=outside)
    ask(one.network, "PUT", f"/routers/{router}", {"router": {"external_gateway_info": None}})
    assert seen().router == RouterSeen(up=True, external_id=None)
    routers.remove(one, token, router, subnet)
    assert (seen().router, seen().other_routers) == (None, ())


def guests_of_a_plane_are_named(pair: Pair) -> None:
    network_id = pair.network()
    assert planes.guests(pair.one, network_id, None) == []
    port = pair.port(network_id)
    (said,) = planes.guests(pair.one, network_id, None)
    assert port in said


@contextmanager
def _default_pool(pair: Pair) -> Iterator[tuple[str, str]]:
    """The one the site has, or one for as long as the check takes."""
    if (known := planes.default_pool(pair.one)) is not None:
        yield known
        return
    name = pair.name("pool")
    pool = {"name": name, "prefixes": ["10.80.0.0/20"], "default_prefixlen": 24, "is_default": True}
    made = ask(pair.one.network, "POST", "/subnetpools", {"subnetpool": pool})["subnetpool"]["id"]
    try:
        assert planes.default_pool(pair.one) == (made, name)
        yield made, name
    finally:
        ask(pair.one.network, "DELETE", f"/subnetpools/{made}")
    assert planes.default_pool(pair.one) is None


def a_default_pool_gives_addresses(pair: Pair) -> None:
    one = pair.one
    with _default_pool(pair) as (pool, _), ExitStack() as tidy:
        cidrs = set()
        for gateway in ({}, {"gateway_ip": None}):
            network_id, token = _network(pair), pair.token("subnet")
            fields = {
                "name": pair.name("sub"),
                "network_id": network_id,
                "ip_version": 4,
                "subnetpool_id": pool,
            }
            row = resources.ensure(one, "subnet", token, {**fields, **gateway})
            tidy.callback(send, one.network, "DELETE", f"/subnets/{row['id']}")
            assert (row["gateway_ip"] is None) == bool(gateway)
            assert resources.ensure(one, "subnet", token, fields)["id"] == row["id"]
            cidrs.add(row["cidr"])
        assert len(cidrs) == 2, "the same block was given twice"
        taken = {"subnet": {"network_id": _network(pair), "ip_version": 4, "subnetpool_id": pool}}
        taken["subnet"]["cidr"] = row["cidr"]
        refused(send(one.network, "POST", "/subnets", taken), 500)
        ask(one.network, "DELETE", f"/subnets/{row['id']}")
        again = ask(one.network, "POST", "/subnets", taken)["subnet"]
        assert again["cidr"] == row["cidr"], "a block that is free again can be asked for"
        ask(one.network, "DELETE", f"/subnets/{again['id']}")
    answer = send(
        one.network, "POST", "/subnets", {"subnet": {"network_id": _network(pair), "ip_version": 4}}
    )
    refused(answer, 400, "subnetpool must be specified")


CHECKS: tuple[Check, ...] = (
    a_router_is_made_once_and_removed_by_its_token,
    a_subnet_without_gateway_takes_no_router,
    what_a_plane_has_is_seen_and_set_back,
    a_planes_router_is_seen_and_set_back,
    guests_of_a_plane_are_named,
    a_default_pool_gives_addresses,
)
