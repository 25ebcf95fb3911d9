"""What Placement and Nova tell of the room on compute hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.clouds import host_room
from multisite.clouds.errors import Refused, Unsupported
from multisite.clouds.host_room import HostRoom, read_host_room
from multisite_lab.sim.model import HostSize
from tests.unit.simulated import SimulatedSite, simulated_target


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    found = simulated_target(monkeypatch)
    sizes = {"c1": HostSize(8, 1024, 10), "c3": HostSize(8, 0, 10)}
    hosts = {"c1": "nova", "c2": "az-b", "c3": "nova"}
    found.sim.settings = replace(found.sim.settings, hosts=hosts, host_sizes=sizes)
    return found


def test_what_servers_have_taken_is_not_left(target: SimulatedSite) -> None:
    flavor = {**target.flavor, "vcpus": 2, "ram": 256, "swap": 64, "OS-FLV-EXT-DATA:ephemeral": 1}
    target.add_server("s1", "web1", flavor=flavor, host="c1")
    first, second = read_host_room(target.site)
    assert first == HostRoom("c1", "nova", 6, 768, 8)
    assert (second.name, second.zone) == ("c2", "az-b"), "c3 has no memory left"


def test_the_requests_are_as_many_for_any_number_of_hosts(target: SimulatedSite) -> None:
    counts = []
    for number in (10, 20):
        hosts = {f"h{n}": "nova" for n in range(number)}
        target.sim.settings = replace(target.sim.settings, hosts=hosts, host_sizes={})
        read_host_room(target.site)
        target.sent.clear()
        assert len(read_host_room(target.site)) == number
        counts.append(len(target.sent))
    assert counts == [3, 3]


def test_a_host_whose_disk_is_not_its_own() -> None:
    inside = {
        "VCPU": {"capacity": 4, "used": 5},
        "PCPU": {"capacity": 4, "used": 1},
        "MEMORY_MB": {"capacity": 64, "used": 0},
    }
    summaries = {
        "a": {"resources": inside, "root_provider_uuid": "a"},
        "numa": {"resources": {"PCPU": {"capacity": 2, "used": 0}}, "root_provider_uuid": "a"},
        "shared": {"resources": {"DISK_GB": {"capacity": 9, "used": 0}}, "root_provider_uuid": "shared"},
    }
    zones = {"a": ("c1", "nova"), "b": ("c2", "nova")}
    assert list(host_room._hosts(summaries, zones)) == [HostRoom("c1", "nova", 5, 64, None)]


def test_more_hosts_than_are_told_of_are_not_known(
    target: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_room, "MOST", 2)
    with pytest.raises(Unsupported, match="2 compute hosts or more"):
        read_host_room(target.site)


def test_it_is_for_administrators(target: SimulatedSite) -> None:
    with pytest.raises(Refused):
        read_host_room(target.member)
