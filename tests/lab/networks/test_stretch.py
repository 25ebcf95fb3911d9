"""Stretching over real Neutrons: traffic and flows, networks of equal addresses, refusals, one-sided failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from lab_networks import OWNER, LabNetworks, behind_faults, lab_networks, until

from multisite_lab import sites
from multisite_lab.faults.rules import Orders, Rule
from multisite_lab.manager import CommandFailed

pytestmark = pytest.mark.lab

SECOND_PORT = 5.0
"""Seconds from the moment the second port is bound until each guest reaches the other (acceptance 1)."""
CIDR = "10.99.0.0/24"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Any]) -> Iterator[LabNetworks]:
    with lab_networks(tmp_path_factory.mktemp("stretch"), clouds) as found:
        yield found


@pytest.fixture(autouse=True)
def _tidy(made: LabNetworks) -> Iterator[None]:
    yield
    made.clear()


class Clock:
    """When the second port was bound, and when the first guest's site had a remote port for it."""

    def __init__(self, made: LabNetworks, network: dict[str, Any]) -> None:
        self.bound: float | None = None
        self.mirrored: float | None = None
        self._made, self._network, self._stop = made, network, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        net = next(m["network_id"] for m in self._network["members"] if m["site"] == "site2")
        while not self._stop.is_set() and self.mirrored is None:
            rows = self._made.clouds["site2"].network.get(f"/ports?network_id={net}").json()["ports"]
            if self.bound is None and any(
                r["device_owner"].startswith("compute:") and r["tunneling_ip"] for r in rows
            ):
                self.bound = time.monotonic()
            if self.bound is not None and self._made.remote("site1", self._network):
                self.mirrored = time.monotonic()
            time.sleep(0.1)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(10)


def test_two_guests_meet_and_nothing_is_left_afterwards(made: LabNetworks) -> None:
    begun = time.monotonic()
    network = made.stretch("two", "--cidr", CIDR)
    print(
        f"\nstretched in {time.monotonic() - begun:.1f} s, VNI {network['segmentation_id']}, MTU {network['mtu']}"
    )
    assert 5000 <= network["segmentation_id"] <= 5999
    one = made.plug(network, "site1", sites.hosts("site1")[1])
    clock = Clock(made, network)
    other = made.plug(network, "site2", sites.hosts("site2")[0])
    met = time.monotonic() + made.meets(one, other)
    clock.end()
    assert clock.bound is not None
    assert clock.mirrored is not None
    print(
        f"second port bound -> remote port {clock.mirrored - clock.bound:.1f} s, -> both meet {met - clock.bound:.1f} s"
    )
    assert clock.mirrored - clock.bound <= SECOND_PORT
    for tap, far in ((one, other), (other, one)):
        found = made.flows_for(far.mac, tap.site, tap.host)
        assert found, f"{tap.host} has no flow for {far.mac}"
        print(f"{tap.host}: {found[0]}")
    with pytest.raises(CommandFailed, match="is in use at site1"):
        made.manager.cli("network", "unstretch", network["name"])
    mac = other.mac
    made.unplug(one)
    made.unplug(other)
    made.unstretch(network)
    _, took = until("nothing is left", lambda: not made.traces(network), 30, 0.5)
    print(f"no port, network or flow left {took:.1f} s after it was unstretched")
    assert made.flows_for(mac, "site1", sites.hosts("site1")[1]) == []

    def shadows() -> list[str]:
        return [
            a.host for c in made.clouds.values() for a in c.network.agents() if a.agent_type == "Remote VTEP"
        ]

    _, took = until("shadow agents are collected", lambda: not shadows(), 240, 2.0)
    print(f"shadow agents gone after {took:.0f} s")


def test_three_sites(made: LabNetworks) -> None:
    network = made.stretch("three", "--cidr", CIDR, names=("site1", "site2", "site3"))
    guests = [made.plug(network, site) for site in ("site1", "site2", "site3")]
    for number, one in enumerate(guests):
        for other in guests[number + 1 :]:
            print(f"\n{one.host} and {other.host} meet after {made.meets(one, other):.1f} s", end="")
    assert made.show(network)["counts"] == {"in-sync": 6}
    pools = [member["pool"] for member in network["members"]]
    assert len({pool[0] for pool in pools}) == 3


def test_equal_addresses_of_two_networks_stay_apart(made: LabNetworks) -> None:
    """Acceptance 2: each reaches its own peer, and a guest without one reaches nobody (negative control)."""
    first, second, third = (made.stretch(word, "--cidr", CIDR) for word in ("left", "right", "alone"))
    pairs = [
        (made.plug(n, "site1", address="10.99.0.20"), made.plug(n, "site2", address="10.99.0.150"))
        for n in (first, second)
    ]
    lonely = made.plug(third, "site1", address="10.99.0.20")
    for one, other in pairs:
        made.meets(one, other)
    made.unplug(pairs[0][1])
    gone = pairs[0][0].reaches("10.99.0.150", 60, wanted=False)
    print(f"\nwithout its peer: unreachable after {gone or 0:.1f} s")
    assert gone is not None, "it is the other network's guest that answers"
    assert pairs[1][0].pings("10.99.0.150", 2.0)
    assert not lonely.pings("10.99.0.150", 2.0)


def test_what_a_second_neutron_refuses_is_undone_in_the_first(
    made: LabNetworks, tmp_path: Any, clouds: dict[str, Any]
) -> None:
    """Acceptance 5."""
    with behind_faults(made, tmp_path) as (behind, faults):
        refusal = Rule("error", "neutron", "POST", r"/networks$", status=409, request_id=True)
        faults.order(site2=Orders(rules=(refusal,)))
        with pytest.raises(CommandFailed) as failed:
            behind.stretch("onesided", "--cidr", CIDR)
        print(f"\n{failed.value.err.strip().splitlines()[-1]}")
        faults.order()
        (row,) = [n for n in behind.manager.cli("network", "list") if n["Name"].endswith("onesided")]
        assert row["State"] == "failed"
        for cloud in clouds.values():
            assert not list(cloud.network.networks(name="networks-test-onesided"))
        again = behind.stretch("onesided", "--cidr", CIDR)
        assert again["state"] == "active"


def test_hostile_input_is_refused_with_reasons(made: LabNetworks) -> None:
    """Acceptance 5: straight at Neutron."""
    network = made.stretch("hostile", "--cidr", CIDR)
    here = made.plug(network, "site1")
    net = next(m["network_id"] for m in network["members"] if m["site"] == "site1")
    own = made.clouds["site1"].network.get(f"/ports/{here.port}").json()["port"]["tunneling_ip"]

    def refused(word: str, **fields: Any) -> None:
        body = {
            "network_id": net,
            "device_owner": OWNER,
            "device_id": "x",
            "tunneling_ip": "172.31.255.9",
        } | fields
        answer = made.clouds["site1"].network.post("/ports", json={"port": body})
        if answer.ok:
            made.clouds["site1"].network.delete_port(answer.json()["port"]["id"])
        said = answer.json()["NeutronError"]["message"] if not answer.ok else "accepted"
        print(f"\n{answer.status_code} {said}", end="")
        assert answer.status_code in (400, 409)
        assert word in said

    refused("tunneling_ip", tunneling_ip=own)
    refused("tunneling_ip", tunneling_ip="not an address")
    refused("is not in a network this Neutron allows", tunneling_ip="192.0.2.1")
    refused(here.mac, mac_address=here.mac, tunneling_ip="172.31.255.9")


def test_a_silent_site_and_a_taken_segment_are_refused_before_anything_is_made(made: LabNetworks) -> None:
    network = made.stretch("first", "--cidr", CIDR)
    with pytest.raises(CommandFailed) as failed:
        made.stretch("second", "--cidr", CIDR, "--segment", str(network["segmentation_id"]))
    assert failed.value.code == 2
    assert f"{network['segmentation_id']} is network {network['name']}'s there" in failed.value.out
    sites.cut("site1")  # people log in at site 2
    try:
        with pytest.raises(CommandFailed) as failed:
            made.stretch("third", "--cidr", CIDR)
    finally:
        sites.reconnect("site1")
    assert "does not tell what it has" in failed.value.out
