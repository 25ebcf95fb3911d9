"""Keeping in step on real Neutrons (acceptance 3): what moves, dies, restarts or is deleted by hand comes back."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from keystoneauth1.exceptions import ClientException
from lab_networks import LabNetworks, lab_networks, until
from openstack.exceptions import SDKException

from multisite_lab import sites, taps
from multisite_lab.sites import site_prefix

pytestmark = pytest.mark.lab

CIDR = "10.99.0.0/24"
_NUMBERS = count(1)
BACK = 60.0
"""Seconds within which traffic has to be back after a fault; what it took is printed."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Any]) -> Iterator[LabNetworks]:
    with lab_networks(tmp_path_factory.mktemp("reconcile"), clouds) as found:
        yield found


@pytest.fixture
def network(made: LabNetworks) -> Iterator[dict[str, Any]]:
    yield made.stretch(f"step{next(_NUMBERS)}", "--cidr", CIDR)
    made.clear()


@pytest.fixture
def pair(made: LabNetworks, network: dict[str, Any]) -> tuple[taps.Tap, taps.Tap]:
    one, other = made.plug(network, "site1"), made.plug(network, "site2")
    print(f"\nthey meet after {made.meets(one, other):.1f} s")
    return one, other


def bare(tap: taps.Tap) -> str:
    return tap.addresses[0].split("/")[0]


def back(made: LabNetworks, one: taps.Tap, other: taps.Tap, what: str, fault: Callable[[], object]) -> None:
    """Traffic stops or not; it is there again in time."""
    fault()
    begun = time.monotonic()
    time.sleep(1.0)
    made.meets(one, other, BACK)
    print(f"\n{what}: traffic both ways {time.monotonic() - begun:.1f} s after it")


@contextmanager
def heartbeat(one: taps.Tap, address: str) -> Iterator[list[int]]:
    """Five echo requests a second meanwhile; [sent, received] afterwards."""
    command = ["ip", "netns", "exec", one.namespace, "ping", "-n", "-i", "0.2", address]
    process = subprocess.Popen(
        [*site_prefix(one.site, one.host), *command], stdout=subprocess.PIPE, text=True
    )
    found: list[int] = []
    try:
        time.sleep(1.0)
        yield found
    finally:
        inside = ["pgrep", "-f", f"ping -n -i 0.2 {address}"]
        for pid in sites.exec_in(one.site, inside, host=one.host).stdout.split():
            sites.exec_in(one.site, ["kill", "-INT", pid], host=one.host)
        text = process.communicate(timeout=20)[0]
        seen = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        assert seen, text[-300:]
        found += [int(seen[1]), int(seen[2])]


def test_a_guest_that_moves_is_followed(
    made: LabNetworks, network: dict[str, Any], pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, other = pair
    before = made.remote("site2", network)[one.port]["tunneling_ip"]
    target = sites.hosts("site1")[1]
    taps.unplug(one)
    begun = time.monotonic()
    moved = taps.plug("site1", one.port, target)
    made.taps[made.taps.index(one)] = moved
    _, took = until(
        "the endpoint changed", lambda: made.remote("site2", network)[one.port]["tunneling_ip"] != before
    )
    made.meets(moved, other, BACK)
    print(
        f"\nmoved: endpoint followed {took:.1f} s after the port was ACTIVE, traffic {time.monotonic() - begun:.1f} s"
    )


def test_another_address_is_followed(
    made: LabNetworks, network: dict[str, Any], pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, _ = pair
    made.clouds["site1"].network.update_port(one.port, fixed_ips=[{"ip_address": "10.99.0.99"}])

    def followed() -> bool:
        row = made.remote("site2", network)[one.port]
        return bool(row["fixed_ips"][0]["ip_address"] == "10.99.0.99")

    print(f"\naddress followed after {until('the address changed', followed)[1]:.1f} s")


def test_a_remote_port_deleted_by_hand_comes_back(
    made: LabNetworks, network: dict[str, Any], pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, other = pair
    row = made.remote("site1", network)[other.port]
    back(made, one, other, "remote port deleted", lambda: made.clouds["site1"].network.delete_port(row["id"]))
    assert made.remote("site1", network)[other.port]["id"] != row["id"]


def test_a_shadow_agent_deleted_by_hand_comes_back(
    made: LabNetworks, pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, other = pair
    cloud = made.clouds["site1"].network

    def shadows() -> list[Any]:
        return [a for a in cloud.agents() if a.agent_type == "Remote VTEP"]

    for agent in shadows():
        cloud.delete_agent(agent)
    _, took = until("the shadow agent is back", shadows, 120, 0.5)
    print(f"\nshadow agent back after {took:.1f} s")
    made.meets(one, other, BACK)


def answers(cloud: Any) -> bool:
    try:
        return bool(cloud.network.get("/networks?fields=id").ok)
    except (SDKException, ClientException):
        return False


@pytest.mark.parametrize(
    ("service", "action"),
    [("neutron-openvswitch-agent", "kill"), ("neutron-api", "restart"), ("neutron-rpc-server", "restart")],
)
def test_services_of_neutron_die(
    made: LabNetworks, pair: tuple[taps.Tap, taps.Tap], service: str, action: str
) -> None:
    one, other = pair
    name = service if service in sites.programs(one.site) else service.replace("neutron-api", "neutron")
    back(made, one, other, f"{service} {action}", lambda: sites.service(one.site, name, action))
    until("Neutron answers again", lambda: answers(made.clouds[one.site]), 120, 1.0)


def test_no_heartbeat_is_lost_while_the_manager_is_down(
    made: LabNetworks, pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, other = pair
    with heartbeat(one, bare(other)) as seen:
        made.manager.kill()
        time.sleep(10)
        made.manager.start()
        time.sleep(5)
    print(f"\nmanager killed for 10 s: {seen[0]} sent, {seen[1]} received")
    assert seen[0] > 50
    assert seen[0] - seen[1] <= 1  # the last one may be under way when it is ended


def test_a_site_that_does_not_answer_keeps_its_entries(
    made: LabNetworks, network: dict[str, Any], pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, other = pair
    before = made.remote("site2", network)[one.port]["id"]
    sites.cut("site1")  # people log in at site 2
    try:
        _, took = until(
            "it is unknown", lambda: {p["state"] for p in made.show(network)["ports"]} == {"unknown"}, 60, 1.0
        )
        print(f"\nunknown {took:.1f} s after the site was cut off")
        time.sleep(10)
        assert made.remote("site2", network)[one.port]["id"] == before
    finally:
        sites.reconnect("site1")
    _, took = until("in step again", lambda: made.show(network)["counts"] == {"in-sync": 2}, 60, 1.0)
    print(f"in step {took:.1f} s after it answers again")
    made.meets(one, other)


def test_a_port_that_is_gone_is_forgotten(
    made: LabNetworks, network: dict[str, Any], pair: tuple[taps.Tap, taps.Tap]
) -> None:
    one, other = pair
    made.unplug(other)
    _, took = until("its remote port is gone", lambda: not made.remote("site1", network))
    print(f"\nforgotten {took:.1f} s after it was deleted")
    assert one.reaches(bare(other), 30, wanted=False) is not None


def test_only_one_sided_does_not_carry(
    made: LabNetworks, network: dict[str, Any], pair: tuple[taps.Tap, taps.Tap]
) -> None:
    """Negative control of all of the above: with the manager down, a deleted remote port stops the traffic."""
    one, other = pair
    made.manager.kill()
    try:
        row = made.remote("site1", network)[other.port]
        made.clouds["site1"].network.delete_port(row["id"])
        assert one.reaches(bare(other), 30, wanted=False) is not None
    finally:
        made.manager.start()
    made.meets(one, other, BACK)
