"""Flavors, key pairs, server groups, volumes and servers of a recovery."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from multisite.clouds.flavors import made_by_recovery
from multisite.clouds.resources import tokens
from multisite.domain.host_data import boot_volumes
from multisite.domain.manifest import (
    FlavorRecord,
    KeypairRecord,
    ServerGroupRecord,
    ServerRecord,
    VolumeRecord,
)
from multisite.recovery.methods.base import ProtectionMethod, VolumeToRestore
from multisite.recovery.recover.devices import tell_of_devices
from multisite.recovery.recover.draft import ByName, Draft
from multisite.recovery.recover.encrypted import comes_back_empty
from multisite.recovery.recover.host_names import host_name
from multisite.recovery.recover.mapping import listed, mapped
from multisite.recovery.recover.model import (
    BootGroup,
    PlannedFlavor,
    PlannedKeypair,
    PlannedServer,
    PlannedServerGroup,
    PlannedVolume,
    flavor_key,
)
from multisite.recovery.recover.passthrough import without_lost_devices
from multisite.recovery.recover.promote import plan_or_promote
from multisite.recovery.recover.server_losses import refuse_server_losses
from multisite.recovery.recover.volume_types import refuse_private
from multisite.recovery.recover.volume_zones import volume_zone

CREATE_FLAVORS = "--create-missing-flavors"


def plan_flavors(draft: Draft) -> tuple[PlannedFlavor, ...]:
    """One per flavor of the source, whatever number of servers has it."""
    if not draft.needs("flavors", "flavors"):
        return ()
    records = {flavor_key(s.flavor): s.flavor for s in draft.manifest.servers}
    planned = [_flavor(draft, f"flavor-{n}", record) for n, record in enumerate(records.values(), 1)]
    for name, count in Counter(f.name for f in planned if f.use is None).items():
        if count > 1:
            draft.problem(
                f"flavor {name}",
                f"servers of the source have {count} flavors of this name with different sizes",
                f"map it to one that fits all: {draft.option('flavors', '', name)}",
            )
    return without_lost_devices(draft, planned)


def held_flavors(draft: Draft, planned: Iterable[PlannedFlavor]) -> tuple[str, ...]:
    """Their steps: of those that would go when the recovery that made them is undone."""
    others = {flavor.id for flavor in draft.facts.flavors if made_by_recovery(flavor)}
    return tuple(flavor.step for flavor in planned if flavor.use in others)


def _flavor(draft: Draft, step: str, record: FlavorRecord) -> PlannedFlavor:
    facts, subject = draft.facts, f"flavor {record.name}"
    wanted = mapped(draft.rules.flavors, record.id, record.name)
    if wanted is not None:
        there = draft.find(facts.flavors, wanted, subject, "flavors")
        if there is not None:
            draft.use(
                "flavor", record.name, there.id, f"{there.name!r} ({_size(there)}): mapped by the operator"
            )
            _compare_mapped(draft, record, there)
        return PlannedFlavor(step, there.id if there else None, record, record.name)
    # A recovery may have put a suffix on the name, at the source or here (``clouds.flavors``).
    plain = tokens.unnamed(record.name)
    named = sorted(
        (f for f in facts.flavors if tokens.unnamed(f.name) == plain), key=lambda f: f.name != record.name
    )
    same = next((f for f in named if f.size == record.size), named[0] if named else None)
    if same is None:
        return _missing_flavor(draft, step, record, plain)
    if same.size == record.size:
        draft.use("flavor", record.name, same.id, f"the target has it with the same size: {_size(same)}")
        if same.own_specs != record.own_specs:
            draft.note(
                subject,
                f"its extra specs differ at {facts.site}",
                "compare them if the servers need special hardware",
            )
    else:
        draft.problem(
            subject,
            f"{facts.site} has one of this name with another size: {_size(same)}, not {_size(record)}",
            f"map it to a fitting one: {draft.option('flavors', record.id, record.name)}"
            + _suggestion(draft, record),
        )
    return PlannedFlavor(step, same.id, record, record.name)


def _missing_flavor(draft: Draft, step: str, record: FlavorRecord, name: str) -> PlannedFlavor:
    if draft.rules.create_missing_flavors:
        draft.create(
            "flavor",
            name,
            f"{_size(record)}, private to the project: the target lacks it and the operator allows to make it",
        )
    else:
        draft.problem(
            f"flavor {name}",
            f"{draft.facts.site} has no flavor of this name ({_size(record)})",
            f"create it: {_command(replace(record, name=name))}; or let the recovery do so: {CREATE_FLAVORS}"
            + _suggestion(draft, record),
        )
    return PlannedFlavor(step, None, record, name)


def _compare_mapped(draft: Draft, record: FlavorRecord, there: FlavorRecord) -> None:
    subject = f"flavor {record.name}"
    if there.vcpus < record.vcpus or there.memory_mib < record.memory_mib:
        draft.note(
            subject,
            f"is mapped to a smaller one: {_size(there)}, not {_size(record)}",
            "map it to a larger one unless that is meant",
        )
    boot_volumes = [v for v in draft.manifest.volumes if v.bootable]
    needed = max((_number(v.image_metadata.get("min_ram")) for v in boot_volumes), default=0)
    if there.memory_mib < needed:
        draft.problem(
            subject,
            f"is mapped to {there.name!r} with {there.memory_mib} MiB, a boot volume needs {needed}",
            "map it to a larger one",
        )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _size(flavor: FlavorRecord) -> str:
    more = f", ephemeral {flavor.ephemeral_gib} GiB" if flavor.ephemeral_gib else ""
    more += f", swap {flavor.swap_mib} MiB" if flavor.swap_mib else ""
    return f"{flavor.vcpus} vCPU, {flavor.memory_mib} MiB, disk {flavor.disk_gib} GiB{more}"


def _command(flavor: FlavorRecord) -> str:
    words = [
        "openstack",
        "flavor",
        "create",
        flavor.name,
        "--vcpus",
        str(flavor.vcpus),
        "--ram",
        str(flavor.memory_mib),
    ]
    words += ["--disk", str(flavor.disk_gib)]
    words += ["--ephemeral", str(flavor.ephemeral_gib)] if flavor.ephemeral_gib else []
    words += ["--swap", str(flavor.swap_mib)] if flavor.swap_mib else []
    for key, value in sorted(flavor.own_specs.items()):
        words += ["--property", f"{key}={value}"]
    return shlex.join(words)


def _suggestion(draft: Draft, record: FlavorRecord) -> str:
    equal = sorted(f.name for f in draft.facts.flavors if f.size == record.size and f.name != record.name)
    if not equal:
        return ""
    return f"; or use an equal one: {draft.option('flavors', record.id, record.name, equal[0])}"


def plan_keypairs(draft: Draft) -> tuple[PlannedKeypair, ...]:
    """Key pairs of the account the target is entered with."""
    if not draft.manifest.keypairs or not draft.needs("keypairs", "key pairs"):
        return ()
    return tuple(_keypair(draft, f"keypair-{n}", k) for n, k in enumerate(draft.manifest.keypairs, 1))


def _keypair(draft: Draft, step: str, record: KeypairRecord) -> PlannedKeypair:
    there = {k.name: k for k in draft.facts.keypairs}
    wanted = draft.rules.keypairs.get(record.name)
    subject, site = f"key pair {record.name}", draft.facts.site
    if wanted is not None:
        # Those of the account there are of all projects it works for: not listed.
        if draft.find([ByName(name) for name in there], wanted, subject, "keypairs", listing=False):
            draft.use("key pair", record.name, wanted, f"{wanted!r}: mapped by the operator")
        return PlannedKeypair(step, wanted, record, wanted)
    name = draft.rules.keypair_names.get(record.name, record.name)
    same = there.get(name)
    if same is None:
        draft.create("key pair", name, "the target lacks it; the public key is part of the restore point")
        return PlannedKeypair(step, None, record, name)
    if _key(same) == _key(record):
        draft.use("key pair", record.name, same.name, "the target has it with the same public key")
    else:
        draft.problem(
            subject,
            f"{site} has one {'of this name' if name == record.name else f'called {name!r}'} with another public key",
            f"make it under another name: {draft.option('keypair_names', record.name, record.name)}, or map it to one "
            f"that is there: {draft.option('keypairs', record.name, record.name)}",
        )
    return PlannedKeypair(step, name, record, name)


def _key(keypair: KeypairRecord) -> list[str]:
    """The key without the comment behind it."""
    return keypair.public_key.split()[:2] if keypair.type == "ssh" else [keypair.public_key.strip()]


def plan_server_groups(draft: Draft) -> tuple[PlannedServerGroup, ...]:
    return tuple(
        _server_group(draft, f"servergroup-{n}", record)
        for n, record in enumerate(draft.manifest.server_groups, 1)
    )


def _server_group(draft: Draft, step: str, record: ServerGroupRecord) -> PlannedServerGroup:
    """A new one, unless the operator maps it: a group of the target of this name has servers of its own."""
    wanted = mapped(draft.rules.server_groups, record.id, record.name)
    if wanted is None:
        draft.create("server group", record.name, f"same policy: {record.policy}")
        return PlannedServerGroup(step, None, record)
    subject = f"server group {record.name}"
    if not draft.needs("server_groups", "server groups"):
        return PlannedServerGroup(step, None, record)
    there = draft.find(draft.facts.server_groups, wanted, subject, "server_groups")
    if there is not None:
        draft.use("server group", record.name, there.id, f"{there.name!r}: mapped by the operator")
        if there.policy != record.policy:
            draft.note(
                subject,
                f"is mapped to one with the policy {there.policy}, not {record.policy}",
                "nothing to do if that is meant",
            )
    return PlannedServerGroup(step, there.id if there else None, record)


def plan_volumes(
    draft: Draft, methods: Mapping[str, ProtectionMethod], numbers: Mapping[str, int] | None = None
) -> tuple[PlannedVolume, ...]:
    """Every volume, those of the first server to boot first: restores begin in this order.

    Each is planned by the method of its payload.  ``numbers``: by id, in place of their places in that order.
    """
    known = draft.needs("volume_types", "volume types")
    turn = {v: s.order for s in draft.manifest.servers for v in s.volume_ids}
    ordered = sorted(draft.manifest.volumes, key=lambda v: turn.get(v.id, len(turn)))
    roots = {volume.id for volume in boot_volumes(draft.manifest).values()}
    wanted: dict[str, list[VolumeToRestore]] = {}
    for place_of, record in enumerate(ordered, 1):
        number = place_of if numbers is None else numbers[record.id]
        subject = f"volume {record.name or record.id}"
        if record.payload is None or record.payload.method not in methods:
            draft.problem(
                subject,
                f"is restored by the method {record.payload.method!r}, which this release does not have"
                if record.payload
                else "has no data in this restore point",
                f"recover with a release that has it; this one has: {', '.join(sorted(methods))}"
                if record.payload
                else "recover from another restore point",
            )
            continue
        volume_type = _volume_type(draft, record, subject) if known else None
        empty = known and comes_back_empty(draft, record, volume_type, root=record.id in roots)
        wanted.setdefault(record.payload.method, []).append(
            VolumeToRestore(number, volume_type, record, volume_zone(draft, record), empty)
        )
    planned = [
        volume for name, its in wanted.items() for volume in plan_or_promote(draft, methods[name], its)
    ]
    place = {record.id: number for number, record in enumerate(ordered)}
    return tuple(sorted(planned, key=lambda v: place[v.record.id])) if known else ()


def _volume_type(draft: Draft, record: VolumeRecord, subject: str) -> str | None:
    types = {t.name: t for t in draft.facts.volume_types}
    source = record.volume_type
    wanted = draft.rules.volume_types.get(source) if source else None
    if source is None or (name := wanted or source) in types:
        return name if source else None
    if refuse_private(draft, source, name, subject):
        return None
    if wanted is not None:
        there = draft.find(draft.facts.volume_types, wanted, subject, "volume_types")
        return there.name if there else None
    default = draft.facts.default_volume_type
    draft.note(
        subject,
        f"{draft.facts.site} has no volume type {source!r}: it will have the default type "
        + (f"{default!r}" if default else "of the target"),
        f"map it if that is not meant: {draft.option('volume_types', source, source)}",
    )
    return None


def plan_servers(
    draft: Draft, keypairs: Iterable[PlannedKeypair], groups: Sequence[BootGroup] = ()
) -> tuple[PlannedServer, ...]:
    """Servers in boot order.  One boots when those before it are ready; equal order: at the same time.

    ``groups``: of a recovery plan, in their order; then one boots when the group before its own is done.
    """
    key_names = {k.record.name: k.name for k in keypairs}
    marks = {m.server_id: m.text for m in draft.manifest.marks}
    ordered = sorted(draft.manifest.servers, key=lambda s: (s.order, s.name, s.id))
    orders = sorted({s.order for s in ordered})
    gates = {s.id: f"ready-{n}" for n, s in enumerate(ordered, 1)}
    roots = boot_volumes(draft.manifest)
    before = {id: earlier for earlier, group in pairwise(groups) for id in group.servers}
    planned = []
    for number, record in enumerate(ordered, 1):
        earlier = [] if groups else [o for o in orders if o < record.order][-1:]
        after = () if draft.rules.parallel_boot else tuple(gates[s.id] for s in ordered if s.order in earlier)
        names = ", ".join(s.name for s in ordered if s.order in earlier)
        if group := before.get(record.id):
            after, names = (group.step,), f"group {group.name}"
        when = f"after {names} is ready" if after else "as soon as its volumes and ports are there"
        ends = "; it was shut off, and is shut off again once Nova has started it" if record.stopped else ""
        draft.create("server", record.name, f"boots {when}{ends}")
        volume_ids = _boot_order(draft, record)
        tell_of_devices(draft, record, volume_ids)
        refuse_server_losses(draft, record, roots.get(record.id))
        planned.append(
            PlannedServer(
                step=f"server-{number}",
                gate=gates[record.id],
                after=after,
                availability_zone=_zone(draft, record),
                key_name=_key_name(draft, record, key_names),
                has_user_data=record.user_data is not None,
                mark=marks.get(record.id),
                record=replace(
                    record, user_data=None, volume_ids=volume_ids, hostname=host_name(draft, record)
                ),
            )
        )
    return tuple(planned)


def _zone(draft: Draft, record: ServerRecord) -> str | None:
    zone = record.availability_zone
    if zone is None:
        return None
    wanted = draft.rules.availability_zones.get(zone)
    if not draft.needs("availability_zones", "availability zones"):
        return None
    zones = draft.facts.availability_zones
    subject = f"server {record.name}"
    if wanted is not None:
        draft.find([ByName(name) for name in zones], wanted, subject, "availability_zones")
    if wanted is not None or zone in zones:
        return wanted or zone
    draft.note(
        subject,
        f"{draft.facts.site} has no availability zone {zone!r}: its scheduler will choose",
        f"map it if that matters: {draft.option('availability_zones', zone, zone)} "
        f"({draft.facts.site} has: {listed(zones)})",
    )
    return None


def _key_name(draft: Draft, record: ServerRecord, known: dict[str, str]) -> str | None:
    if record.key_name is None or record.key_name in known:
        return known.get(record.key_name or "")
    draft.note(
        f"server {record.name}",
        f"the public key of its key pair {record.key_name!r} is not in the restore point: it boots without",
        "nothing to do if the keys are on its disk already, as they are after a first boot",
    )
    return None


def _boot_order(draft: Draft, record: ServerRecord) -> tuple[str, ...]:
    """Its root volume, then the others by device (vdb ... vdz, vdaa): the hypervisor names disks in the order given.

    The root is the one Nova called so, else the first device; whether Cinder calls it bootable says nothing.
    """
    by_id = {v.id: v for v in draft.manifest.volumes}
    volumes = [by_id[v] for v in record.volume_ids if v in by_id]
    if not volumes:
        draft.problem(
            f"server {record.name}",
            "has no volume in the restore point to boot from",
            "recover from another restore point: only servers that boot from a volume are protected",
        )
        return ()
    volumes.sort(key=lambda v: (v.device != record.root_device, len(v.device), v.device))
    root, *others = volumes
    if not root.bootable:
        draft.note(
            f"server {record.name}",
            f"its root disk {root.device} is not marked bootable",
            "it will be marked so, for the server boots from it",
        )
    return (root.id, *(v.id for v in others))
