"""What one run of a protection will do, decided before it begins: pure functions, reasons in words.

Read from the site: the servers, their volumes, the backups that are there.  Decided: who is frozen in
which order, which volume gets a full and which an incremental backup, and what forbids the run.  The plan
is part of the job's parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter

from multisite.clouds.volumes import Backup, next_parent
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.consistent_backup.options import BackupOptions
from multisite.recovery.methods.consistent_backup.payload import chain_of
from multisite.recovery.methods.consistent_backup.state import ServerNow, VolumeNow


@dataclass(frozen=True)
class ServerToFreeze:
    id: str
    name: str


@dataclass(frozen=True)
class PlannedVolume:
    """``parent`` is the backup an incremental builds on.  ``step`` names the step that backs it up."""

    id: str
    name: str
    server: str
    device: str
    size_gib: int
    step: str
    incremental: bool
    parent: str | None
    reason: str


@dataclass(frozen=True)
class ProtectPlan:
    """``freeze``: in the order of freezing; thawing goes the other way.

    ``quiesced``: every running server that should be frozen will be.  ``parent_id``: the restore point
    whose backups the incremental ones build on.  ``notes``: what an operator should know of the result.
    """

    freeze: tuple[ServerToFreeze, ...]
    volumes: tuple[PlannedVolume, ...]
    quiesced: bool
    incremental: bool
    parent_id: str | None
    notes: tuple[str, ...]
    problems: tuple[Finding, ...]
    options: BackupOptions

    @property
    def size_gib(self) -> int:
        return sum(volume.size_gib for volume in self.volumes)

    def to_json(self) -> dict[str, JsonValue]:
        data: dict[str, JsonValue] = _PLAN.dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProtectPlan:
        """Raises pydantic's ValidationError for anything ``to_json`` did not write.

        Jobs of earlier releases have their options beside the rest.
        """
        before = {name: data[old] for name, old in _EARLIER.items() if old in data}
        return _PLAN.validate_python({"options": before, **data})


_EARLIER = {
    "freeze_timeout": "freeze_timeout",
    "quiesce": "quiesce",
    "snapshot_gap_seconds": "snapshot_gap",
    "console_mark": "console_mark",
}
_PLAN: TypeAdapter[ProtectPlan] = TypeAdapter(ProtectPlan)


def make_plan(
    servers: Sequence[ServerNow],
    volumes: Mapping[str, VolumeNow],
    backups: Sequence[Backup],
    previous: Manifest | None,
    options: BackupOptions,
    incremental: bool | None = None,
) -> ProtectPlan:
    """Decide.  ``previous``: the newest restore point of the application, None when there is none.

    ``incremental``: True, False, or None for "as the chain allows".  Never raises: what forbids the run is in
    ``problems``.
    """
    members = sorted(servers, key=lambda s: (s.order, s.name))
    freeze, notes = _who_is_frozen(members, quiesce=options.quiesce)
    full_every = options.full_every if incremental is None else None
    parents = None if incremental is False else _Parents(previous, backups, full_every)
    planned = tuple(_volumes(members, volumes, parents))
    builds = any(v.incremental for v in planned)
    return ProtectPlan(
        freeze=freeze,
        volumes=planned,
        quiesced=bool(planned)
        and not any(_runs_unfrozen(s, freeze, quiesce=options.quiesce) for s in members),
        incremental=builds,
        parent_id=previous.id if previous is not None and builds else None,
        notes=notes,
        problems=tuple(_problems(members, volumes, freeze)),
        options=options,
    )


def _runs_unfrozen(server: ServerNow, freeze: Sequence[ServerToFreeze], *, quiesce: bool) -> bool:
    """True for a server that writes while it is snapshotted although nobody chose that for this member."""
    chosen = quiesce and not server.quiesce and bool(freeze)
    return server.status != "SHUTOFF" and server.id not in {f.id for f in freeze} and not chosen


def _who_is_frozen(
    members: Sequence[ServerNow], *, quiesce: bool
) -> tuple[tuple[ServerToFreeze, ...], tuple[str, ...]]:
    freeze: list[ServerToFreeze] = []
    notes: list[str] = []
    for server in members:
        if server.status == "SHUTOFF":
            notes.append(f"server {server.name} is shut off: nothing to freeze, its volumes are consistent")
        elif not quiesce:
            notes.append(
                f"server {server.name} is not frozen (the protection says quiesce: false):"
                " its volumes are crash-consistent at best, and not with those of other servers"
            )
        elif not server.quiesce:
            notes.append(
                f"server {server.name} is not frozen (an active member, quiesce: false):"
                " its volumes are crash-consistent, each by itself"
            )
        else:
            freeze.append(ServerToFreeze(server.id, server.name))
    return tuple(freeze), tuple(notes)


def _volumes(
    members: Sequence[ServerNow], volumes: Mapping[str, VolumeNow], parents: _Parents | None
) -> Iterable[PlannedVolume]:
    seen: set[str] = set()
    taken: set[str] = set()
    for server in members:
        for volume_id in server.volume_ids:
            volume = volumes.get(volume_id)
            if volume is None or volume_id in seen:  # attached to two servers: backed up once
                continue
            seen.add(volume_id)
            parent, reason = parents.of(volume) if parents else (None, "full: asked for")
            step = _step_name(server.name, volume.device, taken)
            yield PlannedVolume(
                volume.id,
                volume.name,
                server.name,
                volume.device,
                volume.size_gib,
                step,
                parent is not None,
                parent,
                reason,
            )


@dataclass(frozen=True)
class _Parents:
    """What incremental backups may build on.  ``full_every`` None: chains may have any length."""

    previous: Manifest | None
    backups: Sequence[Backup]
    full_every: int | None

    def of(self, volume: VolumeNow) -> tuple[str | None, str]:
        """The backup an incremental one of this volume builds on (None: a full one), and why."""
        if self.previous is None:
            return None, "full: the application has no restore point yet"
        record = next((v for v in self.previous.volumes if v.id == volume.id), None)
        chain = chain_of(record) if record is not None else ()
        if not chain:
            return None, f"full: the volume is not in restore point {self.previous.id}"
        was, last = chain[-1].size_gib, chain[-1].id
        if volume.size_gib != was:
            return None, f"full: the volume's size changed from {was} to {volume.size_gib} GiB"
        if self.full_every is not None and len(chain) >= self.full_every:
            return None, f"full: the chain has {len(chain)} backups, a full one is due"
        there = {b.id: b.status for b in self.backups}
        for link in chain:
            if there.get(link.id) != "available":
                return (
                    None,
                    f"full: backup {link.id} of the chain is {there.get(link.id, 'gone')} in the site",
                )
        chosen = next_parent(self.backups, volume.id)
        if chosen is None or chosen.id != last:
            other = chosen.id if chosen is not None else "none"
            return None, f"full: Cinder would build on backup {other}, which is not of this chain"
        return last, "incremental"


def _step_name(server: str, device: str, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", server)[:60] or "server"
    base = name = f"backup:{plain}:{device.rpartition('/')[2] or 'volume'}"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name


def _problems(
    members: Sequence[ServerNow], volumes: Mapping[str, VolumeNow], freeze: Sequence[ServerToFreeze]
) -> Iterable[Finding]:
    if not members:
        yield blocking("", "application", "it has no servers", "add servers to the application")
    elif not any(s.volume_ids for s in members):
        yield blocking(
            "", "application", "its servers have no volumes", "this method protects Cinder volumes only"
        )
    frozen = {f.id for f in freeze}
    for server in members:
        yield from _server_problems(server, frozen)
        for volume_id in server.volume_ids:
            yield from _volume_problems(server, volume_id, volumes.get(volume_id))


def _server_problems(server: ServerNow, frozen: set[str]) -> Iterable[Finding]:
    subject = f"server {server.name}"
    if server.status not in ("ACTIVE", "SHUTOFF"):
        yield blocking(
            "", subject, f"it is {server.status}", "it must be ACTIVE or SHUTOFF: start or stop it"
        )
    elif server.task_state:
        yield blocking("", subject, f"it is busy ({server.task_state})", "wait until Nova has finished")
    if server.image_backed:
        yield blocking(
            "",
            subject,
            "it does not boot from a volume: its disk cannot be backed up",
            "recreate it with a boot volume",
        )
    if server.id in frozen and server.quiesce_problem:
        remedy = (
            "repair its guest agent or the filter, wait for the other freeze, or set quiesce: false for it"
        )
        yield blocking("", subject, f"it cannot be frozen: {server.quiesce_problem}", remedy)


def _volume_problems(server: ServerNow, volume_id: str, volume: VolumeNow | None) -> Iterable[Finding]:
    if volume is None:
        subject = f"volume {volume_id} of server {server.name}"
        yield blocking("", subject, "Cinder does not show it", "detach it, or let its owner give access")
    elif volume.status not in ("in-use", "available"):
        subject = f"volume {volume.name or volume.id} ({volume.device} of server {server.name})"
        yield blocking("", subject, f"it is {volume.status}", "it must be in-use or available")


def differences(
    plan: ProtectPlan, servers: Sequence[ServerNow], volumes: Mapping[str, VolumeNow]
) -> list[str]:
    """What forbids carrying out a plan on the application as it is now, in words."""
    members = sorted(servers, key=lambda s: (s.order, s.name))
    freeze, _ = _who_is_frozen(members, quiesce=plan.options.quiesce)
    if problems := tuple(_problems(members, volumes, freeze)):
        return [str(problem) for problem in problems]
    now = [(v.id, v.size_gib) for v in _volumes(members, volumes, None)]
    if freeze == plan.freeze and now == [(v.id, v.size_gib) for v in plan.volumes]:
        return []
    return ["the application's servers or volumes have changed since the run was planned: run it again"]
