"""Restore points and targets for the tests of recovering."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from multisite.clouds.quotas import Quota
from multisite.domain.manifest import (
    FixedAddress,
    FlavorRecord,
    KeypairRecord,
    Manifest,
    Mark,
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    ServerGroupRecord,
    ServerRecord,
    SourceSite,
    SubnetRecord,
    VolumeRecord,
)
from multisite.domain.model import Preview
from multisite.recovery.methods.cinder_backups.payload import BackupChain, BackupRecord, payload_of
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.plan import decide
from multisite.recovery.recover.target_facts import ComputeHost, TargetFacts, TargetVolumeType
from tests.unit.simulated import backup_record

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
TAKEN = NOW - timedelta(minutes=5)
FLAVOR = FlavorRecord("f1", "t128", 1, 128, 1)
KEY = "ssh-ed25519 AAAAC3Nza operator@source"
EGRESS = (SecurityGroupRule("egress", "IPv4"), SecurityGroupRule("egress", "IPv6"))


def backup(volume: str, number: int, size: int = 1) -> BackupRecord:
    id, parent = f"b-{volume}-{number}", f"b-{volume}-{number - 1}" if number else None
    return BackupRecord(id, number > 0, TAKEN, size, backup_record(id, volume, parent))


def volume(server: str, letter: str, *, size: int = 1, chain: int = 2, **more: Any) -> VolumeRecord:
    id = f"v-{server}-{letter}"
    values: dict[str, Any] = {
        "name": f"{server}-{letter}",
        "size_gib": size,
        "volume_type": "rbd",
        "bootable": letter == "a",
        "device": f"/dev/vd{letter}",
        "image_metadata": {"hw_disk_bus": "virtio"} if letter == "a" else {},
        "payload": payload_of(BackupChain(tuple(backup(id, n, size) for n in range(chain)))),
    }
    return VolumeRecord(id=id, **(values | more))


def manifest(servers: int = 2, *, disks: int = 2, planes: int = 2, **more: Any) -> Manifest:
    """An application; each server has ``disks`` volumes and a port in each of ``planes`` networks."""
    names = [f"web{n}" for n in range(1, servers + 1)]
    letters = "abcdefgh"[:disks]
    networks = tuple(NetworkRecord(f"n{p}", f"plane{p}", 1500) for p in range(planes))
    subnets = tuple(
        SubnetRecord(f"s{p}", f"n{p}", f"sub{p}", f"10.{p}.0.0/24", 4, None, dhcp=True) for p in range(planes)
    )
    ports = tuple(
        PortRecord(
            id=f"p-{name}-{p}",
            name=f"{name}-{p}",
            network_id=f"n{p}",
            mac_address=f"fa:16:3e:00:{p:02x}:{i:02x}",
            fixed_addresses=(FixedAddress(f"s{p}", f"10.{p}.0.{10 + i}"),),
            security_group_ids=("g1",),
        )
        for i, name in enumerate(names)
        for p in range(planes)
    )
    groups = (
        SecurityGroupRecord(
            "g1",
            "front",
            rules=(*EGRESS, SecurityGroupRule("ingress", "IPv4", "tcp", 80, 80, remote_group_id="g2")),
        ),
        SecurityGroupRecord(
            "g2", "back", rules=(*EGRESS, SecurityGroupRule("ingress", "IPv4", remote_group_id="g1"))
        ),
    )
    records = tuple(
        ServerRecord(
            id=f"id-{name}",
            name=name,
            order=i,
            quiesce=True,
            flavor=FLAVOR,
            port_ids=tuple(f"p-{name}-{p}" for p in range(planes)),
            volume_ids=tuple(f"v-{name}-{letter}" for letter in letters),
            metadata={"vnf": "demo"},
            key_name="ops",
            availability_zone="nova",
            user_data="I2Nsb3VkLWNvbmZpZw==",
            server_group_id="sg1",
        )
        for i, name in enumerate(names, 1)
    )
    made = Manifest(
        id="rp1",
        application_id="a1",
        application="demo",
        project_id="proj",
        source=SourceSite("paris", "RegionOne", "http://paris.example"),
        method="consistent-backup",
        created_at=TAKEN,
        consistent_at=TAKEN,
        servers=records,
        volumes=tuple(volume(name, letter) for name in names for letter in letters),
        ports=ports,
        networks=networks,
        subnets=subnets,
        security_groups=groups,
        keypairs=(KeypairRecord("ops", KEY),),
        server_groups=(ServerGroupRecord("sg1", "apart", "anti-affinity"),),
        marks=tuple(Mark(f"id-{name}", name, f"GUEST-FREEZE seq={i}") for i, name in enumerate(names)),
    )
    return replace(made, **more)


def quota(resource: str, limit: int, used: int = 0) -> Quota:
    return Quota("any", resource, limit, used)


def facts(**more: Any) -> TargetFacts:
    """An empty target that can take everything but a flavor it lacks."""
    values: dict[str, Any] = {
        "flavors": (FlavorRecord("t-f1", "t128", 1, 128, 1),),
        "volume_types": (TargetVolumeType("vt1", "rbd"), TargetVolumeType("vt2", "fast")),
        "default_volume_type": "rbd",
        "availability_zones": ("nova",),
        "compute_hosts": tuple(ComputeHost(f"c{n}", "nova") for n in range(1, 9)),
        "quotas": {"instances": quota("instances", 10)},
    }
    own = {"backups": {}, "backups_elsewhere": {}, "importer": "", "backup_services": {"lyon": "up"}}
    own = {name: more.pop(name, default) for name, default in own.items()}
    return TargetFacts("lyon", "t-proj", NOW, **(values | more), method_parts=own)


def look(
    point: Manifest | None = None, target: TargetFacts | None = None, mapping: Any = None, **more: Any
) -> Preview:
    return decide(point or manifest(), target or facts(), parse(mapping), NOW, **more).preview


def made(
    point: Manifest | None = None, target: TargetFacts | None = None, mapping: Any = None
) -> RecoverPlan:
    return decide(point or manifest(), target or facts(), parse(mapping), NOW).plan
