"""What Multisite relies on in Neutron for routers of applications: interfaces at any address, routes, source NAT; and
floating IPs.
"""

from __future__ import annotations

from typing import Any

import pytest

from multisite.clouds import floating_ips, resources, routers
from multisite.clouds.errors import ConflictInSite, Failed, Refused
from multisite.domain.routing import FloatingIpRecord, RouterInterface, RouterRecord
from tests.contract.sites.pair import Check, Pair, refused, send, where_neutron_has
from tests.sim.deploy import ask


def _router(pair: Pair, record: RouterRecord, *more: Any) -> str:
    token = pair.token("router")
    made = routers.ensure(pair.one, token, record, record.name, *more)
    pair.later(resources.remove, pair.one, "router", token, made)
    assert routers.ensure(pair.one, token, record, record.name, *more) == made
    return made


def _row(pair: Pair, router: str) -> Any:
    return ask(pair.one.network, "GET", f"/routers/{router}")["router"]


def _addresses(pair: Pair, router: str) -> list[str]:
    ports = ask(pair.one.network, "GET", f"/ports?device_id={router}")["ports"]
    return sorted(ip["ip_address"] for port in ports for ip in port["fixed_ips"])


@where_neutron_has("router")
def a_router_has_an_interface_beside_the_gateway(pair: Pair) -> None:
    """Its port is Neutron's own kind, goes with the interface, and is found again when it was not attached."""
    one, network = pair.one, pair.network()
    (subnet,) = ask(one.network, "GET", f"/networks/{network}")["network"]["subnets"]
    router = _router(pair, RouterRecord("", pair.name("router"), (), "its own words", tags=("red",)))
    assert (_row(pair, router)["description"], "red" in _row(pair, router)["tags"]) == ("its own words", True)
    token, at = pair.token("interface"), {"subnet_id": subnet, "ip_address": "10.77.0.9"}
    pair.later(routers.release_port, one, token, router, subnet)
    for _ in range(2):
        routers.attach_at(one, token, router, network, at)
    (port,) = ask(one.network, "GET", f"/ports?device_id={router}")["ports"]
    assert [ip["ip_address"] for ip in port["fixed_ips"]] == ["10.77.0.9"]
    assert port["device_owner"].startswith("network:router_interface")
    assert (port["security_groups"], port["port_security_enabled"], port["description"]) == ([], False, "")
    own = RouterInterface(subnet, "10.77.0.9", "way out", "its own words", ("red", "blue"))
    for _ in range(2):
        routers.describe_interface(pair.member, router, subnet, own)
    (port,) = ask(one.network, "GET", f"/ports?device_id={router}")["ports"]
    assert (port["name"], port["description"]) == ("way out", "its own words")
    assert {"red", "blue", token} == set(port["tags"]), "the token it is found by stays"
    refused(send(one.network, "DELETE", f"/ports/{port['id']}"), 409, port["id"])
    body = {"port_id": port["id"]}
    refused(send(one.network, "PUT", f"/routers/{router}/add_router_interface", body), 409, port["id"])
    routers.release_port(one, token, router, subnet)
    refused(send(one.network, "GET", f"/ports/{port['id']}"), 404, port["id"])
    routers.release_port(one, token, router, subnet)
    routers.release(one, router, subnet)


@where_neutron_has("extraroute-atomic")
def routes_are_added_beside_others_and_keep_their_interface(pair: Pair) -> None:
    one, network = pair.one, pair.network()
    (subnet,) = ask(one.network, "GET", f"/networks/{network}")["network"]["subnets"]
    router, token = _router(pair, RouterRecord("", pair.name("router"), ())), pair.token("interface")
    ours = {"destination": "10.98.0.0/16", "nexthop": "10.77.0.11"}
    theirs = {"destination": "10.97.0.0/16", "nexthop": "10.77.0.12"}
    with pytest.raises(Refused, match="nexthop is not connected"):
        routers.add_routes(one, router, [ours])
    pair.later(routers.release_port, one, token, router, subnet)
    routers.attach_at(one, token, router, network, {"subnet_id": subnet, "ip_address": "10.77.0.9"})
    pair.later(routers.remove_routes, one, router, [ours, theirs])
    ask(one.network, "PUT", f"/routers/{router}", {"router": {"routes": [theirs]}})
    for _ in range(2):
        routers.add_routes(one, router, [ours])
    assert sorted(r["nexthop"] for r in _row(pair, router)["routes"]) == ["10.77.0.11", "10.77.0.12"]
    with pytest.raises(ConflictInSite, match="required by one or more routes"):
        routers.release(one, router, subnet)
    for _ in range(2):
        routers.remove_routes(one, router, [ours])
    assert _row(pair, router)["routes"] == [theirs]
    routers.remove_routes(one, router, [theirs])


@where_neutron_has("ext-gw-mode")
def source_nat_is_an_administrators_to_switch_off(pair: Pair) -> None:
    one, member = pair.one, pair.member
    external = {"network": {"name": pair.name("external"), "router:external": True}}
    outside = ask(one.network, "POST", "/networks", external)["network"]["id"]
    pair.later(send, one.network, "DELETE", f"/networks/{outside}")
    inside = {"network_id": outside, "ip_version": 4, "cidr": "10.81.0.0/24", "enable_dhcp": False}
    ask(one.network, "POST", "/subnets", {"subnet": inside})
    off = {"external_gateway_info": {"network_id": outside, "enable_snat": False}}
    refused(send(member.network, "POST", "/routers", {"router": off}), 403, "enable_snat")
    router = _router(pair, RouterRecord("", pair.name("router"), (), enabled=False), outside, False)
    row = _row(pair, router)
    gateway = row["external_gateway_info"]
    assert (gateway["network_id"], gateway["enable_snat"], row["admin_state_up"]) == (outside, False, False)
    assert _addresses(pair, router) == [gateway["external_fixed_ips"][0]["ip_address"]]
    shown = ask(member.network, "GET", f"/routers/{router}")["router"]
    assert {"distributed", "ha"} & shown.keys() == set()
    assert shown["external_gateway_info"] == gateway


@where_neutron_has("router")
def a_floating_ip_leads_through_a_router_and_is_lent_to_one_port(pair: Pair) -> None:
    one, network = pair.one, pair.network()
    (subnet,) = ask(one.network, "GET", f"/networks/{network}")["network"]["subnets"]
    external = {"network": {"name": pair.name("external"), "router:external": True}}
    outside = ask(one.network, "POST", "/networks", external)["network"]["id"]
    pair.later(send, one.network, "DELETE", f"/networks/{outside}")
    inside = {"network_id": outside, "ip_version": 4, "cidr": "10.81.0.0/24", "enable_dhcp": False}
    ask(one.network, "POST", "/subnets", {"subnet": inside})
    router, token = _router(pair, RouterRecord("", pair.name("router"), ())), pair.token("interface")
    pair.later(routers.release_port, one, token, router, subnet)
    routers.attach_at(one, token, router, network, {"subnet_id": subnet, "ip_address": "10.77.0.9"})
    first, second = (pair.port(network, fixed_ips=[{"ip_address": f"10.77.0.2{n}"}]) for n in (1, 2))
    body = {"floatingip": {"floating_network_id": outside, "port_id": first}}
    refused(send(one.network, "POST", "/floatingips", body), 404, outside, "not reachable", subnet)
    gateway = {"router": {"external_gateway_info": {"network_id": outside}}}
    ask(one.network, "PUT", f"/routers/{router}", gateway)
    record = FloatingIpRecord("", "192.0.2.1", "", "", "", "10.77.0.21", "its own words", ("red",))
    made_by = pair.token("floating")
    pair.later(resources.remove, one, "floating_ip", made_by)
    made = floating_ips.ensure(one, made_by, record, outside, first, fixed_address="10.77.0.21")
    assert floating_ips.ensure(one, made_by, record, outside, first) == made

    def row() -> Any:
        return ask(one.network, "GET", f"/floatingips/{made}")["floatingip"]

    assert (row()["port_id"], row()["fixed_ip_address"], row()["router_id"]) == (first, "10.77.0.21", router)
    assert (row()["description"], set(row()["tags"])) == ("its own words", {made_by, "red"})
    with pytest.raises(Failed, match=first):
        floating_ips.lend(one, made, second)
    floating_ips.give_back(one, made, second)
    assert row()["port_id"] == first, "it is not taken from another port"
    floating_ips.give_back(one, made, first)
    assert (row()["port_id"], row()["description"]) == (None, "its own words")
    for _ in range(2):
        floating_ips.lend(one, made, second, "10.77.0.22")
    assert (row()["port_id"], row()["fixed_ip_address"]) == (second, "10.77.0.22")


CHECKS: tuple[Check, ...] = (
    a_router_has_an_interface_beside_the_gateway,
    routes_are_added_beside_others_and_keep_their_interface,
    source_nat_is_an_administrators_to_switch_off,
    a_floating_ip_leads_through_a_router_and_is_lent_to_one_port,
)
