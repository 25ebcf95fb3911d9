"""Virtual IPs of an application (VRRP, keepalived): what keeps them comes back, and DHCP takes none of them."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.clouds.connect import CloudSite
from multisite.clouds.facts.application import read_application
from multisite.domain.findings import Severity
from multisite.jobs.model import JobState
from multisite_lab.sim.world import World
from tests.sim import deploy
from tests.sim.deploy import Deployed, ask
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service

FIRST, SECOND, THIRD = "10.31.0.50", "10.31.0.51", "10.31.0.52"
"""The first of the allocation pool, which a DHCP agent takes."""
VIRTUAL = "10.31.0.60"
"""That of the port which every full application has."""


def allow(site: CloudSite, made: Deployed, *addresses: str) -> None:
    """Let the ports in the data network use these addresses."""
    pairs = {"allowed_address_pairs": [{"ip_address": address} for address in addresses]}
    for port in made.ports[::2]:
        ask(site.network, "PUT", f"/ports/{port}", {"port": pairs})


def reserve(site: CloudSite, made: Deployed, address: str) -> str:
    """A port without a device at an address DHCP has: DHCP takes the next."""
    (subnet,) = ask(site.network, "GET", f"/networks/{made.networks[0]}")["network"]["subnets"]
    path = f"/subnets/{subnet}"
    ask(site.network, "PUT", path, {"subnet": {"enable_dhcp": False}})
    deploy.until(lambda: None if dhcp(site, made.networks[0]) else True, "DHCP has let go")
    port = deploy.port(site, "keepalived", made.networks[0], fixed_ips=[{"ip_address": address}])
    ask(site.network, "PUT", path, {"subnet": {"enable_dhcp": True}})
    return port


def dhcp(site: CloudSite, network_id: str) -> list[str]:
    query = f"/ports?network_id={network_id}&device_owner=network:dhcp"
    return [ip["ip_address"] for p in ask(site.network, "GET", query)["ports"] for ip in p["fixed_ips"]]


def holders(world: World, name: str) -> dict[str, dict[str, Any]]:
    """The ports of a site's data network by address."""
    state = world.sites[name].settle().state
    network = next(n["id"] for n in state.networks.values() if n["name"] == "mme-data")
    inside = [p for p in state.ports.values() if p["network_id"] == network]
    return {ip["ip_address"]: p for p in inside for ip in p["fixed_ips"]}


def test_dhcp_takes_no_virtual_ip(world: World, service: Service) -> None:
    """One that a port keeps, and one that only allowed address pairs name."""
    site, made = service.cloud(), service.deploy("mme")
    reserve(site, made, FIRST)
    allow(site, made, VIRTUAL, FIRST, SECOND)
    _, point = service.protect("mme")
    assert service.manifests.read(point.id).notes == ()
    assert [
        f.what for f in service.recoveries.preview(service.caller, point.id, TARGET, MAPPING).problems
    ] == []
    world.lose(SITE)
    job, recovery = service.recover(point.id)
    assert job.state is JobState.DONE, job.error
    there = holders(world, TARGET)
    assert there[FIRST]["name"] == "keepalived"
    assert there[SECOND]["name"] == f"mme-{SECOND}"
    assert there[THIRD]["device_owner"] == "network:dhcp"
    assert {there[a]["device_id"] for a in (FIRST, SECOND)} == {""}
    job, _ = service.undo(recovery.id)
    assert job.state is JobState.UNDONE, job.error
    assert world.sites[TARGET].settle().state.ports == {}


def test_what_was_recovered_is_protected_with_its_reserved_addresses(world: World, service: Service) -> None:
    site, made = service.cloud(), service.deploy("mme")
    allow(site, made, VIRTUAL, SECOND)
    _, point = service.protect("mme")
    world.lose(SITE)
    _, recovery = service.recover(point.id)
    found = read_application(service.cloud(TARGET), [server["id"] for server in recovery.servers])
    assert [p.name for p in found.ports if p.fixed_addresses[0].address == SECOND] == [f"mme-{SECOND}"]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("pairs", "carried"),
    [((FIRST,), True), (("10.31.0.48/29",), True), (("10.31.0.64/29",), False), ((), False)],
)
def test_a_port_without_a_device_is_carried_or_told_of(
    world: World, service: Service, pairs: tuple[str, ...], carried: bool
) -> None:
    site, made = service.cloud(), service.deploy("mme", servers=1)
    reserve(site, made, FIRST)
    allow(site, made, VIRTUAL, *pairs)
    _, point = service.protect("mme")
    manifest = service.manifests.read(point.id)
    told = [note for note in manifest.notes if note.startswith(f"port keepalived ({FIRST}) has no device")]
    names = [port.name for port in manifest.ports]
    assert ("keepalived" in names, len(told)) == (carried, 0 if carried else 1)
    preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
    said = [p.what for p in preview.problems if p.severity is Severity.NOTE]
    assert [note for note in told if note not in said] == []


def test_an_address_of_another_device_is_told_of(world: World, service: Service) -> None:
    site, made = service.cloud(), service.deploy("mme", servers=1)
    port = reserve(site, made, FIRST)
    owner = {"device_owner": "Octavia", "device_id": "lb-1"}
    ask(site.network, "PUT", f"/ports/{port}", {"port": owner})
    allow(site, made, VIRTUAL, FIRST)
    _, point = service.protect("mme")
    (note,) = service.manifests.read(point.id).notes
    assert note.startswith(f"port keepalived ({FIRST}) is of Octavia lb-1: it is not carried over")


def test_a_floating_ip_of_a_port_without_a_device(world: World, service: Service) -> None:
    """The port is carried, for something leads to it; the floating IP is, too, and made when it is mapped."""
    site, made = service.cloud(), service.deploy("mme", servers=1)
    reserve(site, made, FIRST)
    outside = deploy.network(site, "public", "203.0.113.0/24", **{"router:external": True})
    (router,) = ask(site.network, "GET", "/routers?name=router-mme")["routers"]
    way_out = {"router": {"external_gateway_info": {"network_id": outside}}}
    ask(site.network, "PUT", f"/routers/{router['id']}", way_out)
    ports = ask(site.network, "GET", "/ports?name=keepalived")["ports"]
    body = {"floatingip": {"floating_network_id": outside, "port_id": ports[0]["id"]}}
    address = ask(site.network, "POST", "/floatingips", body)["floatingip"]["floating_ip_address"]
    _, point = service.protect("mme")
    manifest = service.manifests.read(point.id)
    assert "keepalived" in [port.name for port in manifest.ports]
    assert manifest.notes == ()
    assert [f.address for f in manifest.floating_ips] == [address]
    preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
    (said,) = [p for p in preview.problems if p.kind == f"floating IP {address}"]
    assert said.what.startswith("it leads to port keepalived and is not made")
    assert wrong(world, service) == []
