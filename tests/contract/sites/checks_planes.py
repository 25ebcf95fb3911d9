"""What Multisite relies on in Neutron for an application's planes: routers (where it has them), and subnet pools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from multisite.clouds import networks, planes, routers, stretched, tokens
from multisite.clouds.errors import ConflictInSite, Refused
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
    made = routers.ensure(one, token, fields)
    pair.later(routers.remove, one, token, made, subnet)
    assert routers.ensure(one, token, fields) == made
    assert [f.id for f in tokens.find_by_token(one, "router", token)] == [made]
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
        networks.remove(one, "network", pair.token("none"), network_id)
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
    made = routers.ensure(one, token, {"name": pair.name("router")})
    pair.later(routers.remove, one, token, made, subnet)
    with pytest.raises(Refused, match="gateway"):
        routers.attach(one, made, subnet)
    assert not routers.attached(one, made, subnet)


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
            row = stretched.ensure(one, "subnet", token, {**fields, **gateway})
            tidy.callback(ask, one.network, "DELETE", f"/subnets/{row['id']}")
            assert (row["gateway_ip"] is None) == bool(gateway)
            assert stretched.ensure(one, "subnet", token, fields)["id"] == row["id"]
            cidrs.add(row["cidr"])
        assert len(cidrs) == 2, "the same block was given twice"
    answer = send(
        one.network, "POST", "/subnets", {"subnet": {"network_id": _network(pair), "ip_version": 4}}
    )
    refused(answer, 400, "subnetpool must be specified")


CHECKS: tuple[Check, ...] = (
    a_router_is_made_once_and_removed_by_its_token,
    a_subnet_without_gateway_takes_no_router,
    guests_of_a_plane_are_named,
    a_default_pool_gives_addresses,
)
