"""What one run will do, decided before it begins: pure functions, reasons in words.

Read from the site: the servers, their volumes, what their images say, the backups that are there.  Decided: of which
servers images are made and what Nova's freeze makes of each, and which backup builds on which.  The plan is part of
the job's parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import JsonValue, TypeAdapter

from multisite.clouds.images import quiesced_by_nova
from multisite.clouds.volumes import Backup
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest, ServerRecord
from multisite.recovery.methods.cinder_backups.chain import (
    PlannedVolume,
    parents_for,
    planned_volumes,
    state_problems,
    step_name,
    volume_problems,
)
from multisite.recovery.methods.cinder_backups.state import ApplicationState, ServerNow, VolumeNow
from multisite.recovery.methods.instance_snapshot.options import SnapshotOptions

ROOT = "/dev/vda"


class Freeze(StrEnum):
    """What Nova does to a server while it makes its image."""

    SURE = "sure"  # it freezes it, or makes no image
    TRIED = "tried"  # it tries, and does not say what came of it
    NEVER = "never"  # it does not try
    UNKNOWN = "unknown"  # what its image said is not known any more
    OFF = "off"  # the server is shut off


@dataclass(frozen=True)
class RootDisk:
    """Of a server that does not boot from a volume.  ``copy_step`` makes a volume of it, ``step`` backs that up."""

    device: str
    size_gib: int
    copy_step: str
    step: str


@dataclass(frozen=True)
class PlannedImage:
    """``step`` makes the image of a server.  ``volumes``: ids, all of its volumes.

    ``root``: of a server that does not boot from a volume; Nova leaves its volumes out, so we snapshot them.
    """

    server_id: str
    server: str
    step: str
    freeze: Freeze
    volumes: tuple[str, ...]
    root: RootDisk | None = None


@dataclass(frozen=True)
class SnapshotPlan:
    """``images``: one after the other, in the application's order; ``volumes``: those that Cinder has already.

    ``quiesced``: every server that runs is surely frozen while it is captured, with all its disks.
    """

    images: tuple[PlannedImage, ...]
    volumes: tuple[PlannedVolume, ...]
    quiesced: bool
    incremental: bool
    parent_id: str | None
    notes: tuple[str, ...]
    problems: tuple[Finding, ...]
    options: SnapshotOptions

    @property
    def size_gib(self) -> int:
        roots = (image.root.size_gib for image in self.images if image.root)
        return sum(volume.size_gib for volume in self.volumes) + sum(roots)

    def to_json(self) -> dict[str, JsonValue]:
        data: dict[str, JsonValue] = _PLAN.dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SnapshotPlan:
        """Raises pydantic's ValidationError for anything ``to_json`` did not write."""
        return _PLAN.validate_python(data)


_PLAN: TypeAdapter[SnapshotPlan] = TypeAdapter(SnapshotPlan)


@dataclass(frozen=True)
class Seen:
    """An application as its site shows it.  ``said``: by server id what its image says, None where that is gone."""

    servers: Sequence[ServerNow]
    volumes: Mapping[str, VolumeNow]
    records: Mapping[str, ServerRecord]
    said: Mapping[str, Mapping[str, str] | None]

    @property
    def members(self) -> list[ServerNow]:
        return sorted(self.servers, key=lambda s: (s.order, s.name))


def seen_of(state: ApplicationState, said: Mapping[str, Mapping[str, str] | None]) -> Seen:
    """An application with what ``cinder_backups.state.said_by_images`` gave."""
    return Seen(state.servers, state.volumes, {record.id: record for record in state.facts.servers}, said)


def make_plan(
    seen: Seen,
    backups: Sequence[Backup],
    previous: Manifest | None,
    options: SnapshotOptions,
    incremental: bool | None = None,
) -> SnapshotPlan:
    """Decide.  ``previous``: the newest restore point of the application, None when there is none.

    Never raises: what forbids the run is in ``problems``.
    """
    images = tuple(_images(seen))
    parents = parents_for(previous, backups, options.full_every, incremental)
    volumes = tuple(planned_volumes(seen.members, seen.volumes, parents))
    builds = any(v.incremental for v in volumes)
    return SnapshotPlan(
        images=images,
        volumes=volumes,
        quiesced=bool(images) and all(_is_consistent(image) for image in images),
        incremental=builds,
        parent_id=previous.id if previous is not None and builds else None,
        notes=tuple(_notes(images)),
        problems=tuple(_problems(seen)),
        options=options,
    )


def _images(seen: Seen) -> Iterable[PlannedImage]:
    taken: set[str] = set()
    for server in seen.members:
        record = seen.records[server.id]
        root = None
        if server.image_backed:
            device = record.root_device or ROOT
            steps = (step_name(head, server.name, device, taken) for head in ("copy", "root"))
            root = RootDisk(device, max(1, record.flavor.disk_gib), *steps)
        step = step_name("image", server.name, "server", taken)
        yield PlannedImage(server.id, server.name, step, _freeze(seen, server), server.volume_ids, root)


def _freeze(seen: Seen, server: ServerNow) -> Freeze:
    said = seen.said.get(server.id)
    if server.status == "SHUTOFF":
        return Freeze.OFF
    if said is None:
        return Freeze.UNKNOWN
    tries, insists = quiesced_by_nova(said)
    return Freeze.SURE if tries and insists else Freeze.TRIED if tries else Freeze.NEVER


def _is_consistent(image: PlannedImage) -> bool:
    return image.freeze in (Freeze.SURE, Freeze.OFF) and not (_beside(image) and image.freeze is Freeze.SURE)


def _beside(image: PlannedImage) -> bool:
    """Whether it has disks that Nova does not capture together."""
    return image.root is not None and bool(image.volumes)


_FREEZES = {
    Freeze.OFF: "it is shut off: nothing to freeze, its disks are consistent",
    Freeze.TRIED: "its image does not say os_require_quiesce=yes: Nova freezes it if its guest agent answers, and does "
    "not tell whether it did: its disks are crash-consistent for all that is known",
    Freeze.NEVER: "its image does not say hw_qemu_guest_agent=yes: Nova does not freeze it, its disks are "
    "crash-consistent",
    Freeze.UNKNOWN: "the image it was made from is gone: whether Nova freezes it is not known",
}


def _notes(images: Sequence[PlannedImage]) -> Iterable[str]:
    for image in images:
        if image.freeze in _FREEZES:
            yield f"server {image.server}: {_FREEZES[image.freeze]}"
        if image.root is not None:
            yield (
                f"server {image.server} is booted from a volume at the target: its root disk, on its host here, is "
                "backed up as a volume"
            )
        if _beside(image):
            yield (
                f"server {image.server}: Nova does not capture its volumes with its root disk: they are of another "
                "moment, and crash-consistent"
            )
    if len(images) > 1:
        yield "each server is captured at a moment of its own: the application is not consistent across its servers"


def _problems(seen: Seen) -> Iterable[Finding]:
    if not seen.servers:
        yield blocking("", "application", "it has no servers", "add servers to the application")
    for server in seen.members:
        yield from state_problems(server)
        freeze = _freeze(seen, server)
        if not server.quiesce and freeze not in (Freeze.NEVER, Freeze.OFF):
            yield blocking(
                "",
                f"server {server.name}",
                "it must not be frozen (an active member, quiesce: false), and Nova freezes it for its image",
                "protect the application by the method consistent-backup, or leave this member out",
            )
        for volume_id in server.volume_ids:
            yield from volume_problems(server, volume_id, seen.volumes.get(volume_id))


def differences(plan: SnapshotPlan, seen: Seen) -> list[str]:
    """What forbids carrying out a plan on the application as it is now, in words."""
    if problems := tuple(_problems(seen)):
        return [str(problem) for problem in problems]
    now = [(v.id, v.size_gib) for v in planned_volumes(seen.members, seen.volumes, None)]
    if tuple(_images(seen)) == plan.images and now == [(v.id, v.size_gib) for v in plan.volumes]:
        return []
    return ["the application's servers or volumes have changed since the run was planned: run it again"]
