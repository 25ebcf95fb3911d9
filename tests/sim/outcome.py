"""What came of a run, without ids and times: two runs are equal when their outcomes are."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from multisite.domain.manifest import Manifest, VolumeRecord
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite_lab.guest.console import marked, parse
from multisite_lab.sim.model import Server, Sim
from multisite_lab.sim.world import World
from tests.sim.service import Service

Facts = dict[str, Any]
NOT_THERE = "not there"
_OF_A_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""In the names of snapshots that stay with a restore point: its id."""


@dataclass(frozen=True)
class Outcome:
    """``sites``: what is there, by site; ``points``: the restore points, oldest first; ``data``: by recovered
    server, whether it came back on the record its source stood on.
    """

    sites: dict[str, Facts]
    points: tuple[Facts, ...]
    jobs: tuple[tuple[str, str], ...]
    data: dict[str, str]


def outcome(world: World, service: Service) -> Outcome:
    """Look at everything there is now, sites that burned aside."""
    sims = {name: site.settle() for name, site in world.sites.items() if name not in world.lost}
    manifests = sorted(service.manifests.list().manifests, key=lambda m: m.consistent_at)
    data: dict[str, str] = {}
    for recovery in service.recoveries.list(service.caller):
        if recovery.state == "done":
            sim = world.sites[recovery.target_site].settle()
            # Member by member: each from a restore point of its own, made by the same job.
            its = [m for m in manifests if m.epoch < 0] if recovery.mapping.get("one_by_one") else []
            for manifest in its or [service.manifests.read(recovery.restore_point_id)]:
                data |= compare_data(sim, manifest)
    jobs = sorted((job.kind, str(job.state)) for job in service.jobs.list())
    points = tuple(_point(m) for m in manifests)
    return Outcome({name: site_facts(sim) for name, sim in sims.items()}, points, tuple(jobs), data)


def differences(one: Outcome, other: Outcome) -> list[str]:
    """Where two outcomes differ, in words; empty when they are equal."""
    return compare(asdict(one), asdict(other))


def compare(one: Facts, other: Facts) -> list[str]:
    """The same of any facts."""
    found: list[str] = []
    _compare("", one, other, found)
    return found


def _compare(where: str, one: Any, other: Any, found: list[str]) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys(), key=str):
            _compare(f"{where}/{key}", one.get(key, NOT_THERE), other.get(key, NOT_THERE), found)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, its) in enumerate(zip(one, other, strict=True)):
            _compare(f"{where}/{number}", mine, its, found)
    elif one != other:
        found.append(f"{where}: {one!r} is not {other!r}")


def _backups(volume: VolumeRecord) -> int:
    """How many its restore takes; none where its storage has a copy."""
    replicated = volume.payload is not None and volume.payload.method == "volume-replication"
    return 0 if replicated else len(chain_of(volume))


def _point(manifest: Manifest) -> Facts:
    return {
        "application": manifest.application,
        "incremental": manifest.incremental,
        "quiesced": manifest.quiesced,
        "chains": sorted((v.name, _backups(v)) for v in manifest.volumes),
        "marks": len(manifest.marks),
        "frozen": len(manifest.frozen),
    }


def site_facts(sim: Sim) -> Facts:
    """A site's resources by name, their states and how they hang together; backup records by state only."""
    state = sim.state
    return {
        "servers": {s.name: _server(sim, s) for s in state.servers.values()},
        "volumes": sorted(
            (v.name, v.size, v.status, v.volume_type, v.bootable) for v in state.volumes.values()
        ),
        "snapshots": sorted((_OF_A_RUN.sub("*", s.name), s.status) for s in state.snapshots.values()),
        "backups": sorted(
            (b.status, b.parent_id is not None, b.imported, b.size) for b in state.backups.values()
        ),
        "networks": sorted((n["name"], len(n["subnets"])) for n in state.networks.values()),
        "subnets": sorted((n["name"], n["cidr"], n["enable_dhcp"]) for n in state.subnets.values()),
        "ports": sorted(
            (p["name"], p["mac_address"], p["status"], [ip["ip_address"] for ip in p["fixed_ips"]])
            for p in state.ports.values()
            if not p["device_owner"].startswith("network:")
        ),
        "security groups": sorted(
            (g["name"], len(g["security_group_rules"]))
            for g in state.security_groups.values()
            if g["name"] != "default"
        ),
        "key pairs": sorted(name for _, name in state.keypairs),
        "flavors": sorted(f["name"] for f in state.flavors.values()),
        "server groups": len(state.server_groups),
    }


def _server(sim: Sim, server: Server) -> Facts:
    state = sim.state
    volumes = [state.volumes[d.volume_id] for d in server.disks]
    return {
        "status": server.status,
        "freeze": server.freeze.state,
        "flavor": server.flavor["name"],
        "metadata": {
            k: v for k, v in server.metadata.items() if k not in ("multisite_token", "multisite_epoch")
        },
        "key": server.key_name,
        "description": server.description,
        "hostname": server.hostname,
        "disks": [(d.device, v.name, v.status) for d, v in zip(server.disks, volumes, strict=True)],
        "nics": [state.ports[p]["mac_address"] for p in server.ports],
        "together": server.group_id is not None,
    }


def compare_data(sim: Sim, manifest: Manifest) -> dict[str, str]:
    """By server: "as marked" when its guest found, at its first boot, the very record it was frozen on."""
    marks = {mark.server_id: marked(mark.text) for mark in manifest.marks}
    found = {}
    for record in manifest.servers:
        here = [s for s in sim.state.servers.values() if s.name == record.name]
        verdict = parse("\n".join(here[0].console)).verdict if here else None
        mark = marks.get(record.id)
        if verdict is None:
            found[record.name] = "no verdict"
        elif not verdict.consistent:
            found[record.name] = "its disks are of different moments"
        elif mark is None:
            found[record.name] = "consistent, no mark"
        else:
            same = verdict.record == mark
            found[record.name] = "as marked" if same else f"{verdict.record} is not {mark}"
    return found
