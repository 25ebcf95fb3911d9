"""Loss and latency over a stretched network: from the namespace of its DHCP server, and from a member to a member."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_networks import LabNetworks, lab_networks, until

from multisite_lab import sites
from multisite_lab.sites import site_prefix
from multisite_lab.taps import Tap

pytestmark = pytest.mark.lab

CIDR, PORT, COUNT = "10.99.0.0/24", 8789, 20
PROBE = str(Path(sys.executable).with_name("multisite-probe"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Any]) -> Iterator[LabNetworks]:
    with lab_networks(tmp_path_factory.mktemp("probe"), clouds) as found:
        yield found


@pytest.fixture(scope="module")
def members(made: LabNetworks) -> tuple[Tap, Tap, str]:
    """A member at each site, and the network's id at site 1, which serves DHCP; the whole subnet may ask them."""
    network = made.stretch("probe", "--cidr", CIDR, "--dhcp", "site1")
    for site in ("site1", "site2"):
        for protocol in ("icmp", "udp"):
            made.clouds[site].network.create_security_group_rule(
                security_group_id=made.group(site), direction="ingress", ether_type="IPv4", protocol=protocol,
                remote_ip_prefix=CIDR,
            )  # fmt: skip
    one, other = made.plug(network, "site1"), made.plug(network, "site2")
    made.meets(one, other)
    here = next(member["network_id"] for member in network["members"] if member["site"] == "site1")
    return one, other, str(here)


def bare(tap: Tap) -> str:
    return tap.addresses[0].partition("/")[0]


def probed(site: str, host: str, namespace: str, way: str, address: str) -> tuple[dict[str, Any], int]:
    """What the program says there, and its exit status."""
    command = [
        "ip",
        "netns",
        "exec",
        namespace,
        PROBE,
        way,
        address,
        "--count",
        str(COUNT),
        "--interval",
        "0.05",
    ]
    done = sites.exec_in(site, [*command, "--json"], host=host, timeout=60)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def dhcp_host(network: str) -> str:
    """The host of site 1 whose agent serves the network."""

    def serving() -> list[str]:
        return [
            host
            for host in sites.hosts("site1")
            if f"qdhcp-{network}" in sites.exec_in("site1", ["ip", "netns", "list"], host=host).stdout
        ]

    found, _ = until("a DHCP server", serving)
    return str(found[0])


def test_from_the_namespace_of_the_dhcp_server(made: LabNetworks, members: tuple[Tap, Tap, str]) -> None:
    _, other, network = members
    host, namespace = dhcp_host(network), f"qdhcp-{network}"
    until(
        "the far member answers it",
        lambda: not probed("site1", host, namespace, "icmp", bare(other))[1],
        60,
        1.0,
    )
    near, status = probed("site1", host, namespace, "icmp", bare(other))
    assert (status, near["received"], near["loss"]) == (0, COUNT, 0.0)
    sites.cut("site2")
    try:
        lost, status = probed("site1", host, namespace, "icmp", bare(other))
    finally:
        sites.reconnect("site2")
    print(f"\nloss {near['loss']}, median {near['median_ms']} ms; cut off: loss {lost['loss']}")
    assert (lost["loss"], lost["median_ms"], status) == (1.0, None, 1)


def test_from_a_member_to_a_member(made: LabNetworks, members: tuple[Tap, Tap, str]) -> None:
    """By UDP echo, as an application's own heartbeat; and cut off, every question is lost."""
    one, other, _ = members
    answer = ["ip", "netns", "exec", other.namespace, PROBE, "answer", "--port", str(PORT), "--seconds", "60"]
    answering = subprocess.Popen([*site_prefix("site2", other.host), *answer], stdout=subprocess.DEVNULL)
    try:
        until(
            "it is answered",
            lambda: not probed("site1", one.host, one.namespace, f"udp:{PORT}", bare(other))[1],
            30,
            0.5,
        )
        well, _ = probed("site1", one.host, one.namespace, f"udp:{PORT}", bare(other))
        sites.cut("site1")
        try:
            lost, status = probed("site1", one.host, one.namespace, f"udp:{PORT}", bare(other))
        finally:
            sites.reconnect("site1")
    finally:
        answering.terminate()
        answering.wait(30)
    print(f"\nloss {well['loss']}, median {well['median_ms']} ms; cut off: loss {lost['loss']}")
    assert (well["loss"], lost["loss"], status) == (0.0, 1.0, 1)
