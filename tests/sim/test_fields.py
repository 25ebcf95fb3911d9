"""The judge of applications itself: it sees every field, and the order of freezing; the flow it is shown is full."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from multisite.domain.manifest import (
    FlavorRecord,
    KeypairRecord,
    Manifest,
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    ServerGroupRecord,
    ServerRecord,
    SubnetRecord,
    VolumeRecord,
)
from multisite.domain.routing import RouterRecord
from multisite.domain.trunks import SubportRecord, TrunkRecord
from multisite.jobs.model import JobState
from multisite.recovery.methods.consistent_backup.window import Window
from multisite_lab.sim.faults import Seen
from multisite_lab.sim.world import World, make_world
from tests.sim.fields import recorded, shown
from tests.sim.freezes import FREEZE, THAW, order_problems
from tests.sim.judge import wrong
from tests.sim.outcome import compare
from tests.sim.service import SITE, Service, running_service

RECORDS = (
    ServerRecord, VolumeRecord, PortRecord, NetworkRecord, SubnetRecord, SecurityGroupRecord, SecurityGroupRule,
    KeypairRecord, FlavorRecord, ServerGroupRecord, RouterRecord, TrunkRecord, SubportRecord,
)  # fmt: skip
NOT_OF_SITES = {"id", "order", "quiesce", "payload", "network_id", "flavor"}
"""Ids are the source's, order and quiesce the application's; the data restored judges the payload, a flavor its own
fields."""
LEFT_AT_DEFAULT = {
    "PortRecord.vnic_type": "others need hardware",
    "NetworkRecord.shared": "an operator's network is mapped, not made",
    "NetworkRecord.external": "an operator's network is mapped, not made",
    "KeypairRecord.type": "the other kind is a certificate",
    "PortRecord.qos_policy_id": "its operator makes them at both sites: test_mapping",
    "NetworkRecord.qos_policy_id": "its operator makes them at both sites: test_mapping",
    "NetworkRecord.provider": "an operator's network is mapped: test_mapping",
    "SubnetRecord.ipv6_address_mode": "the simulation has no router advertisements",
    "SubnetRecord.ipv6_ra_mode": "the simulation has no router advertisements",
    "RouterRecord.gateway": "its operator makes external networks at both sites: test_routers",
    "FlavorRecord.ephemeral_gib": "a disk outside of Cinder, which no backup holds",
    "VolumeRecord.encrypted_type_id": "a type of the same id is at no other site: test_losses",
    "FlavorRecord.swap_mib": "a disk outside of Cinder, which no backup holds",
    "ServerRecord.stopped": "nothing in it could be frozen: test_intent recovers such a one",
}


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, dict[str, Any]]:
    """A restore point, and what its site shows."""
    folder = tmp_path_factory.mktemp("service")
    with make_world() as world, running_service(folder, world) as service:
        service.deploy("mme", servers=1)
        _, point = service.protect("mme")
        manifest = service.manifests.read(point.id)
        return manifest, shown(service.cloud(SITE), ["mme-1"])


def records(manifest: Manifest) -> list[Any]:
    groups = manifest.security_groups
    flavors, rules = [s.flavor for s in manifest.servers], [r for g in groups for r in g.rules]
    return [
        *manifest.servers, *manifest.volumes, *manifest.ports, *manifest.networks, *manifest.subnets, *groups,
        *manifest.keypairs, *manifest.server_groups, *manifest.routers, *manifest.trunks, *flavors, *rules,
        *(subport for trunk in manifest.trunks for subport in trunk.subports),
    ]  # fmt: skip


def other(value: Any) -> Any:
    """A value of the same kind that is another one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return value[1:] if value else ("another",)
    if isinstance(value, dict):
        return {**value, "another": "one"}
    return f"{value} another" if value is None or isinstance(value, str) else value + 1


def changed(manifest: Manifest, kind: type, name: str) -> Manifest:
    """The same with this field of every record of the kind changed."""

    def one(record: Any) -> Any:
        if type(record) is kind:
            value = getattr(record, name)
            return replace(record, **{name: None if name == "server_group_id" else other(value)})
        if isinstance(record, ServerRecord):
            return replace(record, flavor=one(record.flavor))
        if isinstance(record, SecurityGroupRecord):
            return replace(record, rules=tuple(map(one, record.rules)))
        if isinstance(record, TrunkRecord):
            return replace(record, subports=tuple(map(one, record.subports)))
        return record

    parts = (
        "servers",
        "volumes",
        "ports",
        "networks",
        "subnets",
        "security_groups",
        "keypairs",
        "server_groups",
        "routers",
        "trunks",
    )
    return replace(manifest, **{part: tuple(map(one, getattr(manifest, part))) for part in parts})


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, f.name) for kind in RECORDS for f in fields(kind) if f.name not in NOT_OF_SITES]
)
def test_every_field_that_is_another_one_is_named(
    protected: tuple[Manifest, dict[str, Any]], kind: type, name: str
) -> None:
    manifest, site = protected
    assert compare(recorded(manifest), site) == []
    found = compare(recorded(changed(manifest, kind, name)), site)
    assert found, f"{kind.__name__}.{name} is not compared"
    named = (
        {"name", "cidr", "rules"} & {name} or kind is SecurityGroupRule or any(name in line for line in found)
    )
    assert named, found


def test_a_field_the_judge_does_not_read_is_a_difference(protected: tuple[Manifest, dict[str, Any]]) -> None:
    manifest, site = protected
    wanted = recorded(manifest)
    wanted["servers"]["mme-1"]["port_ids"][0]["qos_policy"] = None
    assert compare(wanted, site) == ["/servers/mme-1/port_ids/0/qos_policy: None is not 'not there'"]


def test_nothing_the_application_has_is_left_at_its_default(
    protected: tuple[Manifest, dict[str, Any]],
) -> None:
    """A field that has its default everywhere is not seen when it is dropped."""
    manifest, _ = protected
    found = set()
    for record in records(manifest):
        for f in fields(record):
            default = f.default_factory() if f.default_factory is not MISSING else f.default
            if default is MISSING or getattr(record, f.name) != default:
                found.add(f"{type(record).__name__}.{f.name}")
    every = {f"{kind.__name__}.{f.name}" for kind in RECORDS for f in fields(kind)}
    assert every - found == set(LEFT_AT_DEFAULT)


def seen(path: str, server: str) -> Seen:
    return Seen("compute", "POST", path, 200, 0.0, subject=server)


def test_the_order_of_freezing_is_judged_run_by_run() -> None:
    run = [seen(FREEZE, "b"), seen(FREEZE, "a"), seen(THAW, "a"), seen(THAW, "b")]
    again = [*run[:3], seen(THAW, "a"), run[3]]
    assert order_problems([*run, *again], ["b", "a"]) == []
    assert order_problems([*run, *run[:2], *run[:1:-1]], ["b", "a"]) == ["thaw order: b, a, not a, b"]
    assert order_problems(run, ["a", "b"]) == ["freeze order: b, a, not a, b", "thaw order: a, b, not b, a"]
    assert order_problems(run[:3], ["b", "a"]) == ["thaw: b was frozen and never asked to go on"]
    refused = [
        seen(FREEZE, "b"),
        seen(THAW, "b"),
        seen(THAW, "a"),
        seen(THAW, "b"),
    ]  # all thawed, to be certain
    assert order_problems(refused, ["b", "a"]) == []


def test_servers_thawed_in_the_order_they_were_frozen_are_seen(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = Window._thaw_until

    def forwards(self: Window, end: float) -> list[str]:
        self._stops.reverse()
        return until(self, end)

    monkeypatch.setattr(Window, "_thaw_until", forwards)
    service.deploy("mme")
    job, _ = service.protect("mme")
    assert job.state == JobState.DONE, job.error
    assert [line.split(":")[0] for line in wrong(world, service)] == ["thaw order"]
