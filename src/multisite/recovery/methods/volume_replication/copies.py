"""Making a copy the volume's only active image, and taking that back: never two that are both active, if it can be.

The source's storage is asked to step down first.  Where it does not answer the copy is promoted by force: then there
are two primary images once the source is back, which its rbd-mirror reports and does not mend (``split-brain``).
Nothing is copied over before somebody says which one counts: ``rbd mirror image demote`` and ``resync`` at the other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from multisite.clouds.errors import SiteError
from multisite.clouds.mirror.backend import MirrorBackend, MirrorImage, StorageRefused
from multisite.jobs.model import StepContext, StepFailed
from multisite.recovery.methods.base import fresh
from multisite.recovery.methods.volume_replication.payload import Copy

PLANNED_SECONDS = 600.0
"""How long the last that a source wrote, and that it has stepped down, may take to get here."""
POLL = 2.0


@dataclass(frozen=True)
class Promoted:
    """``forced``: the source had not stepped down."""

    image: str
    forced: bool


def find(mirror: MirrorBackend, copy: Copy) -> MirrorImage:
    """The copy at the target by what it is, whatever it is called.  StepFailed when it is gone."""
    name = mirror.names().get(copy.global_id)
    image = mirror.image(name) if name else None
    if image is None:
        raise StepFailed(
            f"{mirror.site} has no copy of image {copy.image} any more: recover from another restore point"
        )
    return image


def promote(
    ctx: StepContext, target: MirrorBackend, source: MirrorBackend | None, copy: Copy, *, roll_back: bool
) -> Promoted:
    """Make the copy primary and, with ``roll_back``, show the restore point.  May be called again at any time.

    StepFailed before anything is changed when the copy is not what the preview saw.
    """
    image = find(target, copy)
    forced = False
    if not image.primary:
        if roll_back and not copy.is_whole(image):
            raise StepFailed(
                f"the copy {image.name} at {target.site} does not have all data of the restore point: nothing was "
                "promoted; undo this recovery and preview again"
            )
        forced = not (source is not None and _stepped_down(ctx, source, copy))
        _promote(ctx, target, image.name, forced=forced)
    elif fresh(ctx) and target.note(image.name) != copy.note(whole=roll_back):
        raise StepFailed(f"{image.name} at {target.site} was promoted by somebody else since the preview")
    if roll_back:
        target.roll_back(image.name, copy.snapshot)
    target.set_note(image.name, copy.note(whole=roll_back))
    return Promoted(image.name, forced)


def _stepped_down(ctx: StepContext, source: MirrorBackend, copy: Copy) -> bool:
    """Whether the source's image is no longer primary; False when nobody can say."""
    try:
        image = source.image(copy.image)
        if image is None or image.global_id != copy.global_id:
            return False
        source.demote(image.name)
    except SiteError as error:
        ctx.event(
            f"{copy.image} at {source.site} did not step down, its copy is promoted by force: {error.message}"
        )
        return False
    return True


def _promote(ctx: StepContext, target: MirrorBackend, name: str, *, forced: bool) -> None:
    """In order, once the end of the source's writing is here; by force when it does not come: the point is here."""
    end = time.monotonic() + PLANNED_SECONDS
    while not forced:
        try:
            target.promote(name, force=False)
        except StorageRefused as error:
            if time.monotonic() > end:
                ctx.event(
                    f"{name}: what the source wrote last does not come; promoted by force: {error.message}"
                )
                break
            ctx.progress(0, 1, "images", "waiting for the last that the source wrote")
            time.sleep(POLL)
        else:
            return
    target.promote(name, force=True)


def take_back(ctx: StepContext, target: MirrorBackend, source: MirrorBackend | None, copy: Copy) -> None:
    """The source's image is primary again, and this one its copy; where the source does not answer it is told how.

    Harmless when it was never promoted.  StepFailed when the source does not become primary again.
    """
    image = find(target, copy)
    if not image.primary:
        return
    try:
        own = None if source is None else _of_source(source, copy)
    except SiteError as error:
        own, said = None, error.message
    else:
        said = "it has no such image"
    if source is None or own is None:
        ctx.event(
            f"{image.name} at {target.site} stays primary, the source does not have it now ({said}): a later recovery "
            "uses it again. To go on at the source once it is back: rbd mirror image demote, then resync, of "
            f"{image.name} at {target.site}"
        )
        return
    if not own.primary and image.name != copy.image:
        target.rename(
            image.name, copy.image
        )  # the source's Cinder knows it by that name, and the mirror takes it there
        image = find(target, copy)
    target.demote(image.name)
    if own.primary:  # it was forced: what was written here since is given up, the source counts
        target.resync(image.name)
        return
    _promote_source(source, copy)


def _of_source(source: MirrorBackend, copy: Copy) -> MirrorImage | None:
    """The source's image by its global id: with the mirror Cinder's name of the copy goes there, and goes back."""
    image = source.image(copy.image)
    if image is not None and image.global_id == copy.global_id:
        return image
    name = source.names().get(copy.global_id)
    return None if name is None else source.image(name)


def _promote_source(source: MirrorBackend, copy: Copy) -> None:
    """Primary again, under the name that the source's Cinder knows.

    It is looked for at each try: in journal mode the mirror may rename it between a look and the request after it.
    """
    end = time.monotonic() + PLANNED_SECONDS
    while True:
        try:
            if (own := _of_source(source, copy)) is not None:
                source.promote(own.name, force=False)
                if own.name != copy.image:
                    source.rename(own.name, copy.image)
                return
            said = "it has no such image"
        except StorageRefused as error:
            said = str(error)
        if time.monotonic() > end:
            raise StepFailed(f"{copy.image} at {source.site} does not become primary again: {said}")
        time.sleep(POLL)
