"""The lab's form made for networks is what it says: hosts, agents, routers, an outside; hosts die and come back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from real_networks import NAME, Edge, Guest, until

from multisite_lab import flows, form, ready, segments, sites, taps
from multisite_lab.model import Machine, site_named
from multisite_lab.provision import EXTERNAL, external_pool

pytestmark = pytest.mark.lab

NOBODY = "203.0.113.49"
"""On the external segment, outside every site's pool."""

OTHER = {"site1": "site1-c2", "site1-c2": "site1"}
AGENT = "neutron-openvswitch-agent"


def answers(address: str, limit: float = 120.0) -> float:
    """Seconds until an address answers an echo request from the core."""
    seconds = segments.wait_answers(address, icmp=True, limit=limit)
    assert seconds is not None, f"{address} does not answer within {limit:.0f} s"
    return seconds


def alive_agents(cloud: Any, host: str) -> set[str]:
    return {row.agent_type for row in cloud.network.agents() if row.host == host and row.is_alive}


def wait_agents(cloud: Any, machine: Machine) -> None:
    """Until every agent a machine should have is alive."""
    wanted = len(ready.agents(machine))
    until(f"{machine.name}: {wanted} agents", lambda: len(alive_agents(cloud, machine.name)) == wanted, 120)
    print(f"\n{machine.name}: {', '.join(sorted(alive_agents(cloud, machine.name)))}", end="")


@pytest.mark.parametrize("site", ["site1", "site2", "site3"])
def test_every_host_has_power_and_its_agents_report(site: str, clouds: dict[str, Any]) -> None:
    assert len(sites.hosts(site)) == (1 if site == "site3" else 2)
    for machine in form.machines(site_named(site)):
        wait_agents(clouds[site], machine)


@pytest.mark.parametrize("site", ["site1", "site2", "site3"])
def test_neutron_has_the_remote_port_extension(site: str, clouds: dict[str, Any]) -> None:
    assert "remote-port" in {extension.alias for extension in clouds[site].network.extensions()}


def test_a_neutron_that_restarts_hides_nothing(cloud: Any) -> None:
    """Without multisite-neutron the first answers are empty lists and "not found" (neutron/policy.py, init)."""
    headers, where = {"X-Auth-Token": cloud.auth_token}, f"{site_named('site1').url('neutron')}/v2.0/networks"
    (known,) = cloud.network.networks(name=EXTERNAL)
    told: Counter[str] = Counter()
    stop = threading.Event()

    def ask(path: str) -> None:
        while not stop.is_set():
            try:
                answer = requests.get(f"{where}{path}", headers=headers, timeout=20)
            except requests.RequestException:
                time.sleep(0.02)
                continue
            told[f"{path} {answer.status_code} {known.id in answer.text}"] += 1

    paths = (f"/{known.id}", "", f"?id={known.id}")
    with ThreadPoolExecutor(2 * len(paths)) as askers:
        for path in paths * 2:
            askers.submit(ask, path)
        time.sleep(1)
        sites.service("site1", "neutron-api", "restart")
        time.sleep(15)
        stop.set()
    print(f"\n{dict(told)}", end="")
    assert set(told) == {f"{path} 200 True" for path in paths}


@pytest.mark.parametrize("site", ["site1", "site2"])
def test_each_site_gives_out_its_own_public_addresses(site: str, clouds: dict[str, Any]) -> None:
    network = clouds[site].network.find_network(EXTERNAL, ignore_missing=False)
    subnet = clouds[site].network.get_subnet(network.subnet_ids[0])
    pool = subnet.allocation_pools[0]
    assert (network.provider_network_type, network.provider_physical_network) == ("flat", "external")
    assert (pool["start"], pool["end"]) == external_pool(site_named(site))


def test_a_guest_is_reached_from_the_core_and_reaches_the_core(guest: Guest, public_address: str) -> None:
    with segments.sniff("external", lambda frame: public_address in (frame.source, frame.target)) as heard:
        print(f"\nfloating IP {public_address} answers after {answers(public_address):.1f} s")
    frames = heard.frames()
    assert {"icmp-request", "icmp-reply"} <= {frame.kind for frame in frames}, frames
    assert guest.pings("203.0.113.1")
    # the controls: an address nobody has, and a port nobody listens at
    assert not guest.pings(NOBODY)
    assert segments.probe_from_core(NOBODY, icmp=True) is None
    assert segments.probe_from_core(public_address, 22) is None


def test_without_its_public_address_it_is_not_reached(edge: Edge, guest: Guest, public_address: str) -> None:
    answers(public_address)
    (row,) = edge.cloud.network.ips(floating_ip_address=public_address)
    edge.cloud.network.update_ip(row, port_id=None)
    try:
        assert segments.wait_answers(public_address, icmp=True, wanted=False, limit=60) is not None
    finally:
        edge.cloud.network.update_ip(row, port_id=guest.port)
    answers(public_address)


def test_a_router_moves_to_the_other_host(edge: Edge, public_address: str) -> None:
    answers(public_address)
    was = edge.router_host()
    with segments.sniff("external", lambda frame: frame.announces == public_address) as heard:
        begun = time.monotonic()
        edge.move_router(OTHER[was])
        assert heard.wait(lambda _frame: True, 120) is not None, (
            "nobody announced the address at its new place"
        )
        announced = time.monotonic() - begun
        answers(public_address)
    print(f"\nrouter {was} -> {edge.router_host()}: announced after {announced:.1f} s", end="; ")
    print(f"answers after {time.monotonic() - begun:.1f} s; {len(heard.frames())} announcements")
    assert edge.router_host() == OTHER[was]


def test_two_hosts_of_a_site_speak_on_its_own_underlay(edge: Edge, guest: Guest, public_address: str) -> None:
    if edge.router_host() == guest.host:
        edge.move_router(OTHER[guest.host])
    answers(public_address)

    def inside(frame: segments.Frame) -> bool:
        return frame.inner is not None and guest.address in (frame.inner.source, frame.inner.target)

    with (
        segments.sniff("underlay", inside, site="site1") as here,
        segments.sniff("underlay", inside) as between,
    ):
        answers(public_address)
    tunnelled = {(frame.source, frame.target) for frame in here.frames()}
    assert len(tunnelled) == 2, tunnelled  # there and back
    assert between.frames() == []
    assert "172.31.9.11" in flows.tunnels("site1", "c2")


def uptime(guest: Guest) -> float:
    """Seconds since it booted, as it says."""
    return float(guest.run("cat /proc/uptime")[1].split()[0])


@pytest.mark.parametrize("way", ["live", "cold"])
def test_a_guest_moves_to_the_other_host(way: str, guest: Guest, public_address: str) -> None:
    answers(public_address)
    target = OTHER[guest.host]
    up = uptime(guest)
    begun = time.monotonic()
    if way == "live":
        guest.action(**{"os-migrateLive": {"host": target, "block_migration": "auto"}})
    else:
        guest.action(migrate={"host": target})
        until(
            "the move can be confirmed",
            lambda: guest.cloud.compute.get_server(guest.id).status == "VERIFY_RESIZE",
            300,
        )
        guest.action(confirmResize=None)
    guest.wait_at(target)
    moved = time.monotonic() - begun
    answers(public_address)
    print(f"\n{way}: at {target} after {moved:.1f} s, reached after {time.monotonic() - begun:.1f} s")
    until("its agent answers there", guest.agent, 120, 1.0)
    # moved alive it has not booted; moved cold it has
    assert (uptime(guest) > up) is (way == "live")


def test_a_lost_service_stays_lost_and_leaves_its_work(edge: Edge, guest: Guest, public_address: str) -> None:
    answers(public_address)
    before = flows.of("site1", "c2")
    assert before
    sites.stop_service("site1", AGENT, "c2")
    try:
        time.sleep(5)
        assert not sites.programs("site1", "c2")[AGENT].running
        assert sites.programs("site1")[AGENT].running
        assert flows.of("site1", "c2") == before
        answers(public_address, limit=10)
        until(
            "Neutron sees that it is gone",
            lambda: "Open vSwitch agent" not in alive_agents(edge.cloud, "site1-c2"),
            60,
        )
    finally:
        sites.start_service("site1", AGENT, "c2")
    until("it reports again", lambda: "Open vSwitch agent" in alive_agents(edge.cloud, "site1-c2"), 120)


def test_a_lost_host_takes_its_guest_along_and_comes_back(
    edge: Edge, guest: Guest, public_address: str
) -> None:
    if guest.host != "site1-c2":
        guest.action(**{"os-migrateLive": {"host": "site1-c2", "block_migration": "auto"}})
        guest.wait_at("site1-c2")
    if edge.router_host() != "site1":
        edge.move_router("site1")
    answers(public_address)
    print(f"\nkilled in {sites.kill_host('site1', 'c2'):.2f} s")
    assert not sites.is_alive("site1", "c2")
    assert sites.is_alive("site1")
    assert segments.wait_answers(public_address, icmp=True, wanted=False, limit=10) is not None
    assert alive_agents(edge.cloud, "site1"), "the other host and the control plane live on"
    compute = edge.cloud.compute
    until(
        "Nova sees that the host is gone",
        lambda: [s for s in compute.services(host="site1-c2") if s.state == "down"],
        90,
    )
    begun = time.monotonic()
    guest.action(evacuate={"host": "site1"})
    guest.wait_at("site1")
    answers(public_address)
    print(f"evacuated and reached after {time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    sites.start_host("site1", "c2")
    print(f"host back after {time.monotonic() - begun:.1f} s")
    answers(public_address)


def test_the_third_site_has_guests_without_a_hypervisor(clouds: dict[str, Any]) -> None:
    network = clouds["site3"].network
    net = network.create_network(name=NAME)
    network.create_subnet(name=NAME, network_id=net.id, ip_version=4, cidr="10.73.0.0/24", enable_dhcp=False)
    group = network.create_security_group(name=NAME)
    network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="icmp"
    )
    found = []
    try:
        for groups in ([group.id], [group.id], []):
            port = network.create_port(name=NAME, network_id=net.id, security_groups=groups)
            found.append(taps.plug("site3", port.id))
        first, second, closed = found
        seconds = first.reaches(second.addresses[0].partition("/")[0])
        assert seconds is not None
        print(f"\nfirst ping after {seconds:.1f} s")
        # the control: the security groups are in force
        assert not first.pings(closed.addresses[0].partition("/")[0], 2)
    finally:
        for tap in found:
            taps.unplug(tap)
