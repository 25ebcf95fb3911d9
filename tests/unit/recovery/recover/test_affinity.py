"""Server groups whose policy the target has too few hosts for, or zones that do not go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds.host_room import HostRoom
from multisite.domain.findings import Finding, Severity, blockers
from multisite.domain.manifest import FlavorRecord, Manifest
from multisite.recovery.recover.host_room import DISK, MEMORY, VCPUS, needs_room, of_server
from multisite.recovery.recover.target_facts import ComputeHost, TargetServerGroup
from tests.unit.recovery.recover_samples import facts, look, manifest


def hosts(*zones: str) -> tuple[ComputeHost, ...]:
    return tuple(ComputeHost(f"c{n}", zone) for n, zone in enumerate(zones, 1))


def point(*zones: str | None, policy: str = "anti-affinity") -> Manifest:
    """A server in each of these zones, all in one group."""
    made = manifest(len(zones))
    servers = tuple(replace(s, availability_zone=z) for s, z in zip(made.servers, zones, strict=True))
    return replace(made, servers=servers, server_groups=(replace(made.server_groups[0], policy=policy),))


def obstacles(made: Manifest, mapping: Any = None, **more: Any) -> tuple[Finding, ...]:
    target = facts(availability_zones=("nova", "az-b"), volume_zones=("nova", "az-b"), **more)
    return blockers(look(made, target, mapping).problems)


@pytest.mark.parametrize(
    ("zones", "there", "said"),
    [
        ((None, None), ("nova",), "it will have 2 servers, and lyon has 1 compute host up"),
        ((None, None), ("nova", "az-b"), None),
        (
            ("nova", "nova"),
            ("nova", "az-b"),
            "2 servers in zone nova, and lyon has 1 compute host up in zone nova",
        ),
        (("nova", "az-b"), ("nova", "az-b"), None),
        (("nova", None, None), ("nova", "az-b"), "it will have 3 servers, and lyon has 2 compute hosts up"),
        ((None,), ("nova",), None),
        ((None, None), (), "lyon has 0 compute hosts up"),
    ],
)
def test_members_apart_need_a_host_each(
    zones: tuple[str | None, ...], there: tuple[str, ...], said: str | None
) -> None:
    found = obstacles(point(*zones), compute_hosts=hosts(*there))
    assert [f.kind for f in found] == (["server group apart"] if said else [])
    assert said is None or said in found[0].what


def test_the_remedy_is_a_softer_group() -> None:
    (found,) = obstacles(point(None, None), compute_hosts=hosts("nova"))
    assert (
        "openstack server group create --policy soft-anti-affinity apart-soft-anti-affinity, and "
        "--map server-group:apart=apart-soft-anti-affinity" in found.remedy
    )
    softer = TargetServerGroup("t1", "softer", "soft-anti-affinity")
    mapping = {"server_groups": {"apart": "softer"}}
    assert obstacles(point(None, None), mapping, compute_hosts=hosts("nova"), server_groups=(softer,)) == ()


@pytest.mark.parametrize(("members", "per_host", "enough"), [(0, 1, True), (1, 1, False), (1, 2, True)])
def test_a_group_of_the_target_has_members_and_rules(members: int, per_host: int, enough: bool) -> None:
    group = TargetServerGroup("t1", "theirs", "anti-affinity", members, per_host)
    mapping = {"server_groups": {"apart": "theirs"}}
    found = obstacles(point(None, None), mapping, compute_hosts=hosts("nova", "az-b"), server_groups=(group,))
    assert (found == ()) is enough


def test_hosts_that_are_not_told_are_unknown() -> None:
    target = facts(unknown={"compute_hosts": "HTTP 403"})
    found = [p for p in look(point(None, None), target).problems if p.kind == "server group apart"]
    assert [(p.severity, "HTTP 403" in p.what) for p in found] == [(Severity.UNKNOWN, True)]
    assert not [p for p in look(point(None), target).problems if p.kind == "server group apart"]


def test_members_that_belong_together_are_not_in_two_zones() -> None:
    (found,) = obstacles(point("nova", "az-b", policy="affinity"))
    assert "asked into the zones az-b, nova" in found.what
    assert obstacles(point("nova", None, policy="affinity")) == ()
    together = {"availability_zones": {"az-b": "nova"}}
    assert obstacles(point("nova", "az-b", policy="affinity"), together) == ()


ROOM = HostRoom("c1", "nova", 2, 256, 0)
"""For two servers of the sample's flavor, which boot from volumes."""


@pytest.mark.parametrize(
    ("hosts", "zone", "said"),
    [
        ((ROOM,), None, None),
        ((replace(ROOM, disk_gib=None),), None, None),
        (
            (replace(ROOM, vcpus=1), replace(ROOM, memory_mib=255)),
            None,
            "2 vCPUs, 256 MiB of memory; no host of lyon has",
        ),
        (
            (replace(ROOM, vcpus=1),),
            None,
            "(the one with the most memory, c1, has 1 vCPUs, 256 MiB of memory)",
        ),
        ((replace(ROOM, zone="az-b"),), "nova", "no host of lyon in zone nova has that left (none has any)"),
        ((), None, "no host of lyon has that left (none has any)"),
    ],
)
def test_members_that_belong_together_need_a_host_with_room_for_all(
    hosts: tuple[HostRoom, ...], zone: str | None, said: str | None
) -> None:
    found = obstacles(point(zone, zone, policy="affinity"), host_room=hosts)
    assert [said in f.what for f in found if said] == ([True] if said else [])
    assert len(found) == bool(said), found
    if found:
        assert "--policy soft-affinity apart-soft-affinity" in found[0].remedy
    assert obstacles(point(zone, zone, policy="soft-affinity"), host_room=hosts) == ()


def test_room_that_is_not_told_is_unknown() -> None:
    target = facts(unknown={"host_room": "HTTP 403"})
    found = [
        p
        for p in look(point(None, None, policy="affinity"), target).problems
        if p.kind == "server group apart"
    ]
    assert [(p.severity, "HTTP 403" in p.what) for p in found] == [(Severity.UNKNOWN, True)]


def test_room_is_asked_for_where_servers_belong_together() -> None:
    assert needs_room(point(None, None))
    assert not needs_room(point(None))


def test_what_a_server_takes_of_its_host() -> None:
    flavor = FlavorRecord("f", "big", 2, 512, 10, ephemeral_gib=1, swap_mib=64)
    assert of_server(flavor, on_volume=True) == {VCPUS: 2, MEMORY: 512, DISK: 2}
    assert of_server(flavor, on_volume=False)[DISK] == 12
    other = replace(flavor, extra_specs={"resources:VCPU": "0", "resources:MEMORY_MB": "64"})
    assert of_server(other, on_volume=True) == {VCPUS: 0, MEMORY: 64, DISK: 2}
