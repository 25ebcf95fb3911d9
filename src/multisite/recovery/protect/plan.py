"""What one run of a protection will do, decided before it begins: pure functions, reasons in words.

Read from the site: the servers, their volumes, the backups that are there.  Decided: who is frozen in
which order, which volume gets a full and which an incremental backup, and what forbids the run.  The plan
is part of the job's parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from multisite.clouds.volumes import Backup, next_parent
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest


@dataclass(frozen=True)
class ServerSeen:
    """A member as its site shows it.  ``status`` and ``task_state`` are Nova's.

    ``quiesce``: the operator's choice for this member.  ``volume_ids``: boot volume first.
    ``quiesce_problem``: why it cannot be frozen, in words, None when nothing is known against it.
    """

    id: str
    name: str
    order: int
    quiesce: bool
    status: str
    volume_ids: tuple[str, ...]
    task_state: str | None = None
    quiesce_problem: str | None = None


@dataclass(frozen=True)
class VolumeSeen:
    """A volume as its site shows it.  ``status`` is Cinder's, ``device`` as attached ("/dev/vda")."""

    id: str
    name: str
    size_gib: int
    status: str
    device: str


@dataclass(frozen=True)
class BackupOptions:
    """What the operator wants.  ``incremental``: True, False, or None for "as the chain allows".

    ``full_every``: at most so many backups in a chain, the full one counted.
    """

    incremental: bool | None = None
    full_every: int = 7
    quiesce: bool = True


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

    @property
    def size_gib(self) -> int:
        return sum(volume.size_gib for volume in self.volumes)


def make_plan(
    servers: Sequence[ServerSeen],
    volumes: Mapping[str, VolumeSeen],
    backups: Iterable[Backup],
    previous: Manifest | None,
    wish: BackupOptions,
) -> ProtectPlan:
    """Decide.  ``previous``: the newest restore point of the application, None when there is none.

    Never raises: what forbids the run is in ``problems``.
    """
    members = sorted(servers, key=lambda s: (s.order, s.name))
    freeze, notes = _who_is_frozen(members, wish)
    planned = _volumes(members, volumes, tuple(backups), previous, wish)
    incremental = any(v.incremental for v in planned)
    return ProtectPlan(
        freeze=freeze,
        volumes=planned,
        quiesced=bool(planned) and not any(_runs_unfrozen(s, freeze, wish) for s in members),
        incremental=incremental,
        parent_id=previous.id if previous is not None and incremental else None,
        notes=notes,
        problems=tuple(_problems(members, volumes, freeze)),
    )


def _runs_unfrozen(server: ServerSeen, freeze: Sequence[ServerToFreeze], wish: BackupOptions) -> bool:
    """True for a server that writes while it is snapshotted although nobody chose that for this member."""
    chosen = wish.quiesce and not server.quiesce and bool(freeze)
    return server.status != "SHUTOFF" and server.id not in {f.id for f in freeze} and not chosen


def _who_is_frozen(
    members: Sequence[ServerSeen], wish: BackupOptions
) -> tuple[tuple[ServerToFreeze, ...], tuple[str, ...]]:
    freeze: list[ServerToFreeze] = []
    notes: list[str] = []
    for server in members:
        if server.status == "SHUTOFF":
            notes.append(f"server {server.name} is shut off: nothing to freeze, its volumes are consistent")
        elif not wish.quiesce:
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
    members: Sequence[ServerSeen],
    volumes: Mapping[str, VolumeSeen],
    backups: Sequence[Backup],
    previous: Manifest | None,
    wish: BackupOptions,
) -> tuple[PlannedVolume, ...]:
    planned: dict[str, PlannedVolume] = {}
    taken: set[str] = set()
    for server in members:
        for volume_id in server.volume_ids:
            volume = volumes.get(volume_id)
            if volume is None or volume_id in planned:  # attached to two servers: backed up once
                continue
            parent, reason = parent_of(volume, backups, previous, wish)
            step = _step_name(server.name, volume.device, taken)
            planned[volume_id] = PlannedVolume(
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
    return tuple(planned.values())


def parent_of(
    volume: VolumeSeen, backups: Sequence[Backup], previous: Manifest | None, wish: BackupOptions
) -> tuple[str | None, str]:
    """The backup an incremental one of this volume builds on (None: a full one), and why."""
    if wish.incremental is False:
        return None, "full: asked for"
    if previous is None:
        return None, "full: the application has no restore point yet"
    record = next((v for v in previous.volumes if v.id == volume.id), None)
    if record is None or not record.backups:
        return None, f"full: the volume is not in restore point {previous.id}"
    if volume.size_gib != record.backups[-1].size_gib:
        was = record.backups[-1].size_gib
        return None, f"full: the volume's size changed from {was} to {volume.size_gib} GiB"
    if wish.incremental is None and len(record.backups) >= wish.full_every:
        return None, f"full: the chain has {len(record.backups)} backups, a full one is due"
    last = record.backups[-1].id
    there = {b.id: b.status for b in backups}
    for link in record.backups:
        if there.get(link.id) != "available":
            return None, f"full: backup {link.id} of the chain is {there.get(link.id, 'gone')} in the site"
    chosen = next_parent(backups, volume.id)
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
    members: Sequence[ServerSeen], volumes: Mapping[str, VolumeSeen], freeze: Sequence[ServerToFreeze]
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


def _server_problems(server: ServerSeen, frozen: set[str]) -> Iterable[Finding]:
    subject = f"server {server.name}"
    if server.status not in ("ACTIVE", "SHUTOFF"):
        yield blocking(
            "", subject, f"it is {server.status}", "it must be ACTIVE or SHUTOFF: start or stop it"
        )
    elif server.task_state:
        yield blocking("", subject, f"it is busy ({server.task_state})", "wait until Nova has finished")
    if server.id in frozen and server.quiesce_problem:
        yield blocking(
            "",
            subject,
            f"it cannot be frozen: {server.quiesce_problem}",
            "mend that, or protect it without quiescing",
        )


def _volume_problems(server: ServerSeen, volume_id: str, volume: VolumeSeen | None) -> Iterable[Finding]:
    if volume is None:
        subject = f"volume {volume_id} of server {server.name}"
        yield blocking("", subject, "Cinder does not show it", "detach it, or let its owner give access")
    elif volume.status not in ("in-use", "available"):
        subject = f"volume {volume.name or volume.id} ({volume.device} of server {server.name})"
        yield blocking("", subject, f"it is {volume.status}", "it must be in-use or available")


def differences(
    plan: ProtectPlan, servers: Sequence[ServerSeen], volumes: Mapping[str, VolumeSeen], *, quiesce: bool
) -> list[str]:
    """What forbids carrying out a plan on the application as it is now, in words."""
    now = make_plan(servers, volumes, (), None, BackupOptions(quiesce=quiesce))
    if now.problems:
        return [str(problem) for problem in now.problems]
    same_volumes = [(v.id, v.size_gib) for v in now.volumes] == [(v.id, v.size_gib) for v in plan.volumes]
    if now.freeze == plan.freeze and same_volumes:
        return []
    return ["the application's servers or volumes have changed since the run was planned: run it again"]
