"""An application's planes on real Neutrons: made in both sites or in none, used by guests, and taken away again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lab_networks import LabNetworks, behind_faults, lab_networks
from real_networks import Guest, until

from multisite_lab import sites
from multisite_lab.faults.rules import Orders, Rule
from multisite_lab.manager import CommandFailed

pytestmark = pytest.mark.lab

APPLICATION = "networks-test-planes"
SITES = ("site1", "site2")
PORT = 5001
PLANES = (
    "name=hb,role=inter-component,cidr=10.98.0.0/24",
    "name=copy,role=backup,cidr=10.97.0.0/24",
    "name=mgmt,role=management",
)


def describe(made: LabNetworks, guest: Guest) -> None:
    """The application and its planes, in this manager's own database."""
    made.manager.cli("application", "create", APPLICATION, "--site", "site1", "--server", guest.id)
    planes = [word for plane in PLANES for word in ("--plane", plane)]
    both = [word for site in SITES for word in ("--site", site)]
    made.manager.cli("application", "plane", "set", APPLICATION, *planes, *both)


def plane(made: LabNetworks, verb: str, name: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = made.manager.cli("application", "plane", verb, APPLICATION, name, *words)
    return found


def left(clouds: dict[str, Any]) -> list[str]:
    """What is there of any plane, by what it is called."""
    found = []
    for site, cloud in clouds.items():
        for kind in (cloud.network.networks, cloud.network.subnets, cloud.network.routers):
            found += [
                f"{site}: {thing.name} {thing.id}"
                for thing in kind()
                if thing.name.startswith(f"{APPLICATION}-")
            ]
    return found


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Any], guest: Guest
) -> Iterator[LabNetworks]:
    for site in SITES:  # of a run that was killed
        for pool in list(clouds[site].network.subnet_pools(name=f"{APPLICATION}-pool")):
            clouds[site].network.delete_subnet_pool(pool)
    with lab_networks(tmp_path_factory.mktemp("planes"), clouds) as found:
        describe(found, guest)
        yield found
        for name in ("hb", "copy", "mgmt"):
            found.manager.show("application", "plane", "remove", APPLICATION, name, check=False)


@contextmanager
def default_pools(clouds: dict[str, Any]) -> Iterator[None]:
    """A default subnet pool in each site; those a site has stay."""
    pools = []
    for site in SITES:
        network = clouds[site].network
        if not any(pool.is_default for pool in network.subnet_pools(ip_version=4)):
            prefixes = {"prefixes": ["10.96.0.0/16"], "default_prefix_length": 24}
            pool = network.create_subnet_pool(name=f"{APPLICATION}-pool", is_default=True, **prefixes)
            pools.append((network, pool))
    try:
        yield
    finally:
        for network, pool in pools:
            network.delete_subnet_pool(pool)


def test_a_local_plane_from_the_sites_own_pools(made: LabNetworks, clouds: dict[str, Any]) -> None:
    with default_pools(clouds):
        done = plane(made, "realize", "mgmt")
        assert (done["state"], [m["site"] for m in done["made"]]) == ("active", list(SITES)), done
        for one in done["made"]:
            network = clouds[one["site"]].network
            subnet = network.get_subnet(one["subnet_id"])
            assert (subnet.cidr, subnet.gateway_ip, subnet.network_id) == (
                one["cidr"],
                None,
                one["network_id"],
            )
        port = clouds["site2"].network.create_port(
            name="networks-test-planes-port", network_id=done["made"][1]["network_id"]
        )
        with pytest.raises(CommandFailed) as refused:
            plane(made, "remove", "mgmt")
        assert "in use at site2: networks-test-planes-port" in refused.value.err
        assert plane(made, "show", "mgmt")["state"] == "active"
        clouds["site2"].network.delete_port(port)
        assert plane(made, "remove", "mgmt")["state"] == "described"
        assert left(clouds) == []


def test_without_a_pool_the_operator_is_told_what_to_give(made: LabNetworks, clouds: dict[str, Any]) -> None:
    if any(p.is_default for site in SITES for p in clouds[site].network.subnet_pools(ip_version=4)):
        pytest.fail("the lab's sites have a default subnet pool: this test needs sites without")
    with pytest.raises(CommandFailed) as refused:
        plane(made, "realize", "mgmt")
    assert refused.value.code == 2
    assert "no default subnet pool" in refused.value.out
    assert left(clouds) == []


def test_members_of_an_l3_plane_reach_each_other_by_a_path(
    made: LabNetworks, clouds: dict[str, Any], boot_at: Callable[..., Guest]
) -> None:
    done = plane(made, "realize", "copy")
    assert (done["state"], all(m["router_id"] for m in done["made"])) == ("active", True), done
    guests = {}
    for one in done["made"]:
        site = one["site"]
        closed = clouds[site].network.create_security_group(name=f"{APPLICATION}-closed")
        host = sites.hosts(site)[0]
        guests[site] = boot_at(site, host, one["network_id"], [closed.id], name=f"{APPLICATION}-member")
        guests[site].run(f"(while :; do echo heartbeat | nc -l -p {PORT}; done) >/dev/null 2>&1 &")
    ends = [word for site, guest in guests.items() for word in ("--end", f"{site}={guest.port}")]
    path = made.manager.cli("path", "create", "planes-sync", *ends, "--allow", f"tcp:{PORT}")
    address = next(end["address"] for end in path["ends"] if end["site"] == "site2")
    one = guests["site1"]

    def heard() -> bool:
        return one.run(f"nc -w 2 {address} {PORT} </dev/null")[1].strip() == "heartbeat"

    until("a heartbeat through the plane's routers", heard, 60)
    with pytest.raises(CommandFailed) as refused:
        plane(made, "remove", "copy")
    assert "in use at site1" in refused.value.err
    made.manager.show("path", "delete", "planes-sync")
    for guest in guests.values():
        server = guest.cloud.compute.get_server(guest.id)
        guest.cloud.compute.delete_server(server)
        guest.cloud.compute.wait_for_delete(server, wait=180)
        guest.cloud.network.delete_port(guest.port)
    assert plane(made, "remove", "copy")["state"] == "described"
    assert left(clouds) == []


def compared(made: LabNetworks, name: str, code: int) -> list[tuple[str, str]]:
    """What ``plane check`` says, which has to end with this exit status."""
    if code == 0:
        rows = plane(made, "check", name)
    else:
        with pytest.raises(CommandFailed) as ended:
            plane(made, "check", name)
        assert ended.value.code == code, ended.value.err
        rows = json.loads(ended.value.out)
    return [(row["Site"], row["State"]) for row in rows]


def test_what_was_changed_by_hand_is_told_and_repaired(made: LabNetworks, clouds: dict[str, Any]) -> None:
    """The router of one site is deleted and its network switched off; then its MTU is changed, which is told only."""
    done = plane(made, "realize", "copy")
    well = [(site, "in-sync") for site in SITES]
    assert compared(made, "copy", 0) == well
    one, other = done["made"]
    network = clouds["site2"].network
    network.remove_interface_from_router(other["router_id"], subnet_id=other["subnet_id"])
    network.delete_router(other["router_id"], ignore_missing=False)
    network.update_network(other["network_id"], is_admin_state_up=False)
    drifted = [("site2", "drift"), ("site2", "drift"), ("site1", "in-sync")]
    assert compared(made, "copy", 1) == drifted
    assert plane(made, "show", "copy")["state"] == "active"
    plane(made, "repair", "copy")
    assert compared(made, "copy", 0) == well
    assert network.get_network(other["network_id"]).is_admin_state_up
    repaired = next(m for m in plane(made, "show", "copy")["made"] if m["site"] == "site2")
    router = network.get_router(repaired["router_id"])
    assert repaired["router_id"] != other["router_id"]
    assert router.external_gateway_info["network_id"]
    assert clouds["site1"].network.get_router(one["router_id"]).is_admin_state_up
    mtu = network.get_network(other["network_id"]).mtu
    network.update_network(other["network_id"], mtu=mtu - 50)
    assert compared(made, "copy", 1) == [("site2", "drift"), ("site1", "in-sync")]
    network.update_network(other["network_id"], mtu=mtu)
    assert compared(made, "copy", 0) == well
    assert plane(made, "remove", "copy")["state"] == "described"
    assert left(clouds) == []


def test_removed_without_a_lost_site_and_later_there_too(
    made: LabNetworks, tmp_path: Any, clouds: dict[str, Any], guest: Guest
) -> None:
    with behind_faults(made, tmp_path) as (behind, faults):
        describe(behind, guest)
        assert plane(behind, "realize", "copy")["state"] == "active"
        faults.order(site2=Orders(cut="refuse"))
        assert compared(behind, "copy", 2) == [("site2", "unknown"), ("site1", "in-sync")]
        with pytest.raises(CommandFailed) as refused:
            plane(behind, "remove", "copy")
        assert "--without site2" in refused.value.err
        gone = plane(behind, "remove", "copy", "--without", "site2")
        assert (gone["state"], gone["left"]) == ("described", ["site2"])
        assert {line.partition(":")[0] for line in left(clouds)} == {"site2"}
        faults.order()
        assert plane(behind, "remove", "copy")["left"] == []
        assert left(clouds) == []


def test_a_stretched_plane_is_a_stretched_network(made: LabNetworks, clouds: dict[str, Any]) -> None:
    done = plane(made, "realize", "hb")
    assert done["state"] == "active", done
    shown = made.manager.cli("network", "show", f"{APPLICATION}-hb")
    assert (shown["id"], shown["state"]) == (done["stretched_network_id"], "active")
    made.manager.cli("network", "unstretch", f"{APPLICATION}-hb")
    assert plane(made, "show", "hb")["state"] == "described", "its state is the network's, not a copy"
    assert left(clouds) == []


@pytest.mark.parametrize("path", [r"/networks$", r"/routers$", r"add_router_interface$"])
def test_what_a_second_neutron_refuses_is_undone_in_the_first(
    made: LabNetworks, tmp_path: Any, clouds: dict[str, Any], guest: Guest, path: str
) -> None:
    with behind_faults(made, tmp_path) as (behind, faults):
        describe(behind, guest)
        method = "PUT" if "interface" in path else "POST"
        refusal = Rule("error", "neutron", method, path, status=409, request_id=True)
        faults.order(site2=Orders(rules=(refusal,)))
        with pytest.raises(CommandFailed) as failed:
            plane(behind, "realize", "copy")
        print(f"\n{failed.value.err.strip().splitlines()[-1]}")
        faults.order()
        shown = plane(behind, "show", "copy")
        assert shown["state"] == "failed"
        assert "site2" in shown["error"]
        assert left(clouds) == []
        assert plane(behind, "realize", "copy")["state"] == "active"
        assert plane(behind, "remove", "copy")["state"] == "described"
