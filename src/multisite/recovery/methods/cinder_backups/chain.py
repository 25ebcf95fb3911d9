"""Which backup a new one builds on, decided before a run begins: pure functions, reasons in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from multisite.clouds.volumes import Backup, next_parent
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.methods.cinder_backups.state import ServerNow, VolumeNow


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


def planned_volumes(
    members: Sequence[ServerNow], volumes: Mapping[str, VolumeNow], parents: Parents | None
) -> Iterable[PlannedVolume]:
    """A backup of each volume that the members have, once; ``parents`` None: full ones."""
    seen: set[str] = set()
    taken: set[str] = set()
    for server in members:
        for volume_id in server.volume_ids:
            volume = volumes.get(volume_id)
            if volume is None or volume_id in seen:  # attached to two servers: backed up once
                continue
            seen.add(volume_id)
            parent, reason = parents.of(volume) if parents else (None, "full: asked for")
            step = step_name("backup", server.name, volume.device, taken)
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
class Parents:
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


def parents_for(
    previous: Manifest | None, backups: Sequence[Backup], full_every: int, incremental: bool | None
) -> Parents | None:
    """What a run may build on.  ``incremental``: True, False, or None for "as ``full_every`` says"."""
    return (
        None
        if incremental is False
        else Parents(previous, backups, full_every if incremental is None else None)
    )


def step_name(head: str, server: str, device: str, taken: set[str]) -> str:
    """``backup:<server>:<device>``, in letters that a token may have; each once."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", server)[:60] or "server"
    base = name = f"{head}:{plain}:{device.rpartition('/')[2] or 'volume'}"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name


def state_problems(server: ServerNow) -> Iterable[Finding]:
    """Why a server cannot be protected as it is now."""
    subject = f"server {server.name}"
    if server.status not in ("ACTIVE", "SHUTOFF"):
        yield blocking(
            "", subject, f"it is {server.status}", "it must be ACTIVE or SHUTOFF: start or stop it"
        )
    elif server.task_state:
        yield blocking("", subject, f"it is busy ({server.task_state})", "wait until Nova has finished")


def volume_problems(server: ServerNow, volume_id: str, volume: VolumeNow | None) -> Iterable[Finding]:
    """Why a volume cannot be backed up."""
    if volume is None:
        subject = f"volume {volume_id} of server {server.name}"
        yield blocking("", subject, "Cinder does not show it", "detach it, or let its owner give access")
    elif volume.status not in ("in-use", "available"):
        subject = f"volume {volume.name or volume.id} ({volume.device} of server {server.name})"
        yield blocking("", subject, f"it is {volume.status}", "it must be in-use or available")
