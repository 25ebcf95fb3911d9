"""What one run of a protection will do, decided before it begins: pure functions, reasons in words.

Read from the site: the servers, their volumes, the backups that are there.  Decided: who is frozen in
which order, which volume gets a full and which an incremental backup, and what forbids the run.  The plan
is part of the job's parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter

from multisite.clouds.volumes import Backup
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.cinder_backups.chain import (
    PlannedVolume,
    parents_for,
    planned_volumes,
    state_problems,
    volume_problems,
)
from multisite.recovery.methods.cinder_backups.state import ServerNow, VolumeNow
from multisite.recovery.methods.consistent_backup.options import BackupOptions


@dataclass(frozen=True)
class ServerToFreeze:
    id: str
    name: str


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
    parents = parents_for(previous, backups, options.full_every, incremental)
    planned = tuple(planned_volumes(members, volumes, parents))
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
            yield from volume_problems(server, volume_id, volumes.get(volume_id))


def _server_problems(server: ServerNow, frozen: set[str]) -> Iterable[Finding]:
    subject = f"server {server.name}"
    yield from state_problems(server)
    if server.image_backed:
        yield blocking(
            "",
            subject,
            "it does not boot from a volume: its disk cannot be backed up",
            "protect it by the method instance-snapshot, or recreate it with a boot volume",
        )
    if server.id in frozen and server.quiesce_problem:
        remedy = (
            "repair its guest agent or the filter, wait for the other freeze, or set quiesce: false for it"
        )
        yield blocking("", subject, f"it cannot be frozen: {server.quiesce_problem}", remedy)


def differences(
    plan: ProtectPlan, servers: Sequence[ServerNow], volumes: Mapping[str, VolumeNow]
) -> list[str]:
    """What forbids carrying out a plan on the application as it is now, in words."""
    members = sorted(servers, key=lambda s: (s.order, s.name))
    freeze, _ = _who_is_frozen(members, quiesce=plan.options.quiesce)
    if problems := tuple(_problems(members, volumes, freeze)):
        return [str(problem) for problem in problems]
    now = [(v.id, v.size_gib) for v in planned_volumes(members, volumes, None)]
    if freeze == plan.freeze and now == [(v.id, v.size_gib) for v in plan.volumes]:
        return []
    return ["the application's servers or volumes have changed since the run was planned: run it again"]
