"""Making the image of one server, and a volume of its root disk; taking both back.

Both are called by the step's token, and so, in their names, are the snapshots that Nova makes for an image.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from multisite.clouds import build, images, resources, restore, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError, UnknownOutcome
from multisite.clouds.images import Image
from multisite.clouds.resources import tokens
from multisite.clouds.volumes import Snapshot
from multisite.clouds.waiting import wait_until
from multisite.domain.manifest import Mark
from multisite.domain.pattern import newest_match
from multisite.jobs.model import StepContext, StepFailed
from multisite.recovery.methods.base import fresh
from multisite.recovery.methods.instance_snapshot.clean import IMAGES, SNAPSHOTS, Made, sweep
from multisite.recovery.methods.instance_snapshot.plan import PlannedImage, RootDisk

SEARCH_AGAIN_SECONDS = 3.0
"""A request whose answer was lost may still take effect: it is looked for a second time, so much later."""
IMAGE_SECONDS, IMAGE_SECONDS_PER_GIB = 900.0, 600.0
"""How long Nova may take for an image, and Cinder for its snapshots or a volume of it."""
READ_SECONDS = 60.0
CONSOLE_LINES = 500


@dataclass(frozen=True)
class Imaged:
    """``captured_at``: not after the moment that its disks show, by the site's clock; ``snapshots``: ids by volume."""

    image_id: str
    captured_at: datetime
    snapshots: dict[str, str] = field(default_factory=dict)
    size_gib: int = 0
    mark: Mark | None = None


@dataclass(frozen=True)
class Copied:
    """The volume that was made of a root disk."""

    id: str
    size_gib: int
    volume_type: str | None
    availability_zone: str | None
    image_metadata: dict[str, str] = field(default_factory=dict)


def make_image(site: CloudSite, planned: PlannedImage, mark: str | None, ctx: StepContext) -> Imaged:
    """Have Nova make the image, and wait until it and all snapshots are whole.

    It goes on with an image of an earlier attempt.  Raises StepFailed, what is left for ``undo_image``.
    """
    image_id = _found(site, ctx) or _asked(site, planned, ctx)
    limit = IMAGE_SECONDS + IMAGE_SECONDS_PER_GIB * (planned.root.size_gib if planned.root else 0)
    name = f"{tokens.OF_NOVA}{ctx.token}"
    if planned.root is not None:
        _snapshot_beside(site, planned, name, ctx)
    image = images.wait_image(
        site, image_id, limit, lambda seen: ctx.progress(0, 1, "image", seen.status), ctx.cancelled
    )
    snapshots = _complete(site, planned, image, name, ctx)
    moments = [s.created_at for s in snapshots.values() if s.created_at]
    if planned.root is not None or not moments:
        moments.append(_made_at(site, image_id))
    ctx.progress(1, 1, "image", image.status)
    return Imaged(
        image_id,
        min(moments),
        {volume: snapshot.id for volume, snapshot in snapshots.items()},
        image.size_gib,
        _mark(site, planned, mark, ctx),
    )


def _found(site: CloudSite, ctx: StepContext) -> str | None:
    """The image of an earlier attempt; what a request left that came to nothing is removed."""
    if fresh(ctx):
        return None
    time.sleep(SEARCH_AGAIN_SECONDS)
    if found := images.of_token(site, ctx.token):
        return found[0].id
    if left := sweep(site, lambda token: token == ctx.token, SNAPSHOTS):
        raise StepFailed("; ".join(left))
    return None


def _asked(site: CloudSite, planned: PlannedImage, ctx: StepContext) -> str:
    try:
        return images.create_image(site, ctx.token, planned.server_id)
    except UnknownOutcome as error:
        time.sleep(SEARCH_AGAIN_SECONDS)
        if found := images.of_token(site, ctx.token):
            return found[0].id
        raise StepFailed(
            f"whether Nova makes an image of server {planned.server} is not known: {error}"
        ) from error
    except SiteError as error:
        raise StepFailed(f"Nova makes no image of server {planned.server}: {error.message}") from error


def _snapshot_beside(site: CloudSite, planned: PlannedImage, name: str, ctx: StepContext) -> None:
    """Nova leaves the volumes of a server out that does not boot from one."""
    there = {s.volume_id for s in volumes.snapshots_named(site, name, READ_SECONDS)}
    for volume in planned.volumes:
        if volume not in there:
            volumes.create_snapshot(site, ctx.token, volume, name, READ_SECONDS)


def _complete(
    site: CloudSite, planned: PlannedImage, image: Image, name: str, ctx: StepContext
) -> dict[str, Snapshot]:
    """The snapshot of each volume, once it can be read.  Of several (an earlier attempt's) the image's own."""
    if not planned.volumes:
        return {}

    def look() -> dict[str, Snapshot]:
        rows = volumes.snapshots_named(site, name, READ_SECONDS)
        if planned.root is None:
            rows = [row for row in rows if row.id in image.snapshots]
        return {row.volume_id: row for row in rows}

    def ready(seen: dict[str, Snapshot]) -> bool:
        return all(v in seen and seen[v].status == "available" for v in planned.volumes)

    def broken(seen: dict[str, Snapshot]) -> bool:
        return any(s.status.startswith("error") for s in seen.values())

    what = f"the snapshots of server {planned.server}"
    found = wait_until(
        look, done=ready, failed=broken, timeout=IMAGE_SECONDS, what=what, cancelled=ctx.cancelled, site=site.name,
        explain=lambda seen: ", ".join(f"{s.id} is {s.status}" for s in seen.values()) or "there is none",
    )  # fmt: skip
    return {volume: found[volume] for volume in planned.volumes}


def _made_at(site: CloudSite, image_id: str) -> datetime:
    """When Glance heard of the image, which is before the disk was read."""
    moment = datetime.fromisoformat(resources.read(site, "image", image_id)["created_at"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _mark(site: CloudSite, planned: PlannedImage, wanted: str | None, ctx: StepContext) -> Mark | None:
    if not wanted:
        return None
    try:
        lines = build.console(site, planned.server_id, lines=CONSOLE_LINES).splitlines()
    except SiteError as error:
        ctx.event(f"the console of server {planned.server} cannot be read: it has no mark ({error})")
        return None
    line = newest_match(wanted, lines)
    if line is None:
        ctx.event(f"no line of the console of server {planned.server} matches: it has no mark")
    return None if line is None else Mark(planned.server_id, planned.server, line)


def undo_image(site: CloudSite, ctx: StepContext, made: Imaged | None) -> None:
    """Remove image and snapshots: those noted, and those found; ``made`` None: also what takes effect late.

    Raises StepFailed naming what is left.
    """
    known = Made((made.image_id,), tuple(made.snapshots.values())) if made else None
    left = sweep(site, lambda token: token == ctx.token, IMAGES, known)
    if made is None and not left:
        time.sleep(SEARCH_AGAIN_SECONDS)
        left = sweep(site, lambda token: token == ctx.token, IMAGES)
    if left:
        raise StepFailed("; ".join(left))


def copy_root(site: CloudSite, root: RootDisk, imaged: Imaged, ctx: StepContext) -> Copied:
    """Find or make a volume of the image, called by the token; wait until the disk is on it."""
    found = None if fresh(ctx) else _copy_of(site, ctx.token)
    if found is not None and str(found["status"]).startswith("error"):
        restore.remove_volume(site, str(found["id"]), IMAGE_SECONDS)
        found = None
    size = max(root.size_gib, imaged.size_gib)
    body = {"volume": {"name": tokens.checked(ctx.token), "size": size, "imageRef": imaged.image_id}}
    row = found or resources.look_again(
        lambda: resources.create(site, "volume", body, "make a volume of an image"),
        lambda: _copy_of(site, ctx.token),
    )
    row = wait_until(
        lambda: resources.read(site, "volume", str(row["id"])),
        done=("available",),
        failed=("error", "deleting", "error_deleting"),
        timeout=IMAGE_SECONDS + IMAGE_SECONDS_PER_GIB * size,
        what=f"volume {row['id']} of image {imaged.image_id}",
        on_poll=lambda seen: ctx.progress(0, size, "GiB", seen["status"]),
        cancelled=ctx.cancelled,
        site=site.name,
    )
    said = {key: str(value) for key, value in (row.get("volume_image_metadata") or {}).items()}
    return Copied(str(row["id"]), int(row["size"]), row["volume_type"], row.get("availability_zone"), said)


def _copy_of(site: CloudSite, token: str) -> images.Row | None:
    return next(iter(resources.rows(site, "volume", token)), None)


def undo_copy(site: CloudSite, ctx: StepContext, made: Copied | None) -> None:
    """Remove the volume, found by the token."""
    restore.remove_by_token(site, ctx.token, IMAGE_SECONDS, late=made is None)
