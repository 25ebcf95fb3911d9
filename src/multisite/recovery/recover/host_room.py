"""Whether one host of the target has room for all servers of an affinity group.

Judged by what is left of vCPUs, memory and disk alone: a host that lacks something else (traits, NICs) counts, so a
refusal is certain, and a host that is found is none that Nova's scheduler has promised.
Source: ``nova/scheduler/utils.py``, ``ResourceRequest``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from multisite.clouds.host_room import HostRoom
from multisite.domain.manifest import FlavorRecord, Manifest
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedFlavor, PlannedServer, PlannedServerGroup, flavor_key

VCPUS, MEMORY, DISK = "vCPUs", "MiB of memory", "GiB of disk"
_NAMES = {VCPUS: "VCPU", MEMORY: "MEMORY_MB", DISK: "DISK_GB"}


def needs_room(manifest: Manifest) -> bool:
    """Whether servers belong together: a group may be mapped to one of another policy."""
    return any(
        count > 1
        for count in Counter(s.server_group_id for s in manifest.servers if s.server_group_id).values()
    )


def check_room_for_all(
    draft: Draft,
    group: PlannedServerGroup,
    members: Sequence[PlannedServer],
    flavors: Sequence[PlannedFlavor],
    zone: str | None,
    softer: str,
) -> None:
    """A problem when no host has it, unknown when hosts are not told of.  ``softer``: what else can be done."""
    subject, site = f"server group {group.record.name}", draft.facts.site
    if not draft.facts.knows("host_room"):
        what = f"whether one host of {site} has room for its {len(members)} servers is not known"
        why = draft.facts.unknown["host_room"]
        remedy = "ask its operator; servers that find no room are in error"
        draft.unknown(subject, f"{what}: {why}", remedy)
        return
    hosts = [host for host in draft.facts.host_room or () if zone in (None, host.zone)]
    need = _needed(draft, members, flavors)
    if draft.facts.host_room is None or any(_fits(need, host) for host in hosts):
        return
    where = f" in zone {zone}" if zone else ""
    largest = max(hosts, key=lambda host: host.memory_mib, default=None)
    has = (
        f"the one with the most memory, {largest.name}, has {_said(_left(largest))}"
        if largest
        else "none has any"
    )
    draft.problem(
        subject,
        f"its policy is affinity, so one host takes all its {len(members)} servers: {_said(need)}; no host of {site}"
        f"{where} has that left ({has})",
        f"make room on one host; or {softer}",
    )


def _needed(draft: Draft, members: Sequence[PlannedServer], flavors: Sequence[PlannedFlavor]) -> Counter[str]:
    there = {flavor.id: flavor for flavor in draft.facts.flavors}
    sizes = {flavor_key(f.record): there.get(f.use or "", f.record) for f in flavors}
    total: Counter[str] = Counter()
    for member in members:
        flavor = sizes[flavor_key(member.record.flavor)]
        total += of_server(flavor, on_volume=bool(member.record.volume_ids))
    return total


def of_server(flavor: FlavorRecord, *, on_volume: bool) -> Counter[str]:
    """What one takes of its host.  ``on_volume``: it boots from a volume, so it has no root disk there."""
    swap_gib = -(-flavor.swap_mib // 1024)
    disk = flavor.ephemeral_gib + swap_gib + (0 if on_volume else flavor.disk_gib)
    amounts = {VCPUS: flavor.vcpus, MEMORY: flavor.memory_mib, DISK: disk}
    asked = {kind: flavor.extra_specs.get(f"resources:{name}", "") for kind, name in _NAMES.items()}
    return Counter({kind: int(asked[kind]) if asked[kind].isdigit() else n for kind, n in amounts.items()})


def _left(host: HostRoom) -> Counter[str]:
    left = Counter({VCPUS: host.vcpus, MEMORY: host.memory_mib})
    return left + Counter({DISK: host.disk_gib}) if host.disk_gib is not None else left


def _fits(need: Counter[str], host: HostRoom) -> bool:
    limits = [VCPUS, MEMORY] if host.disk_gib is None else [VCPUS, MEMORY, DISK]
    left = _left(host)
    return all(need[kind] <= left[kind] for kind in limits)


def _said(amounts: Counter[str]) -> str:
    return (
        ", ".join(f"{amounts[kind]} {kind}" for kind in (VCPUS, MEMORY, DISK) if amounts[kind]) or "nothing"
    )
