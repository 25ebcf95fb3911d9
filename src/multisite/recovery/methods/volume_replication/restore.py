"""Recovering from copies: what a target's storage has of a restore point, what is decided, and the steps.

Step names (``promote-<n>``, ``volume-<n>``) and results are kept in databases: jobs of earlier releases have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from multisite.clouds import managed, resources
from multisite.clouds.administrator import MANAGE, administrator, kept_out
from multisite.clouds.connect import CloudSite
from multisite.clouds.managed import WantedManaged
from multisite.clouds.mirror.backend import MirrorBackend, MirrorImage
from multisite.clouds.mirror.settings import OPTION
from multisite.domain.manifest import Manifest
from multisite.domain.model import Purpose
from multisite.jobs.model import Made, Step, StepContext, StepFailed
from multisite.recovery.methods.base import CALLS, RESTORES, RestoreTarget, VolumeToRestore, fresh
from multisite.recovery.methods.volume_replication import copies
from multisite.recovery.methods.volume_replication.copies import Promoted
from multisite.recovery.methods.volume_replication.payload import Copy, copies_of, copy_of
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume

MANAGE_SECONDS, UNDO_SECONDS = 600.0, 1800.0
_PART = "copies"
LOSS = "replication"
"""Of ``recover.losses.LOSSES``."""


@dataclass(frozen=True)
class SeenCopy:
    """``note``: the point that an earlier recovery put a primary one back to.  ``volume``: it is one of Cinder's."""

    image: MirrorImage
    note: str = ""
    volume: bool = False


@dataclass(frozen=True)
class SeenCopies:
    """``storage``: the id of the target's; "" when Multisite knows none.  ``by_id``: global id -> the copy there."""

    storage: str = ""
    by_id: Mapping[str, SeenCopy] | None = None


def target_parts(site: CloudSite, manifest: Manifest) -> dict[str, Callable[[], object]]:
    """``copies``: see ``SeenCopies``; ``manager``: the account that clouds.yaml names to manage volumes, if it is not
    let in.
    """
    return {"manager": lambda: kept_out(site, MANAGE), _PART: lambda: _seen(site, manifest)}


def _seen(site: CloudSite, manifest: Manifest) -> SeenCopies:
    mirror = site.mirrors.get(site.name)
    if mirror is None:
        return SeenCopies()
    wanted = {copy.global_id for _, copy in copies_of(manifest)}
    names = mirror.names()
    images = {id: mirror.image(names[id]) for id in sorted(wanted) if id in names}
    return SeenCopies(
        mirror.info().id, {id: _seen_copy(site, mirror, image) for id, image in images.items() if image}
    )


def _seen_copy(site: CloudSite, mirror: MirrorBackend, image: MirrorImage) -> SeenCopy:
    if not image.primary:
        return SeenCopy(image)
    id = image.name.removeprefix(managed.image_name(""))
    volume = resources.read_or_none(administrator(site, MANAGE), "volume", id)
    return SeenCopy(image, mirror.note(image.name), volume is not None)


def plan_restore(draft: Draft, volumes: Sequence[VolumeToRestore]) -> list[PlannedVolume]:
    """See ``base.ProtectionMethod``: each is the copy at the target, put back to the restore point."""
    if draft.purpose is Purpose.DRILL:
        draft.problem(
            "replication",
            "a drill would promote the copies, and take the storage from under the application that runs",
            "drill a restore point of another method",
        )
        return []
    if not draft.needs(_PART, "replication"):
        return []
    seen, site = draft.facts.method_parts[_PART], draft.facts.site
    assert isinstance(seen, SeenCopies)  # what target_parts gave
    if seen.by_id is None:
        draft.problem(
            "replication", f"the storage of {site} is not known to Multisite", f"name it in {OPTION}"
        )
        return []
    if manager := draft.facts.method_parts.get("manager"):
        draft.problem(
            "replication",
            f"the account {manager}, which is to manage volumes, is not let in to the project at {site}",
            f"openstack role add --project {draft.facts.project_id} --user {manager} admin",
        )
    return [planned for volume in volumes if (planned := _planned(draft, volume, seen, seen.by_id))]


def _planned(
    draft: Draft, volume: VolumeToRestore, seen: SeenCopies, by_id: Mapping[str, SeenCopy]
) -> PlannedVolume | None:
    copy, record, subject = copy_of(volume.record), volume.record, f"volume {volume.shown}"
    there = by_id.get(copy.global_id)
    other = "recover from another restore point"
    if volume.empty or record.encrypted_type_id is not None:
        draft.problem(subject, "it is encrypted: no Cinder manages its copy", other)
        return None
    if copy.storage != seen.storage:
        draft.problem(
            subject,
            f"its copy is in the storage of {copy.site}, not of {draft.facts.site}",
            f"recover in {copy.site}",
        )
        return None
    if there is None:
        draft.problem(subject, f"the storage of {draft.facts.site} has no copy of it", other)
        return None
    roll_back = _goes_back(draft, volume, copy, there)
    if roll_back is None:
        return None
    if record.delete_on_termination:
        draft.note(
            subject,
            "will not be deleted with its server: the copy is not Nova's to delete",
            "delete it by hand",
        )
    detail = f"{record.size_gib} GiB, image {there.image.name}, then managed"
    draft.do(
        "volume", volume.shown, "promote", detail + (", put back to the restore point" if roll_back else "")
    )
    details: dict[str, JsonValue] = {
        "promote_step": f"promote-{volume.number}",
        "roll_back": roll_back,
        "source": draft.manifest.source.name,
    }
    kept = replace(record, delete_on_termination=False)
    return PlannedVolume(volume.step, volume.volume_type, kept, details, volume.availability_zone)


def _goes_back(draft: Draft, volume: VolumeToRestore, copy: Copy, there: SeenCopy) -> bool | None:
    """Whether the copy is put back to the restore point; None: it is not used, and the draft says why."""
    image, site, subject = there.image, draft.facts.site, f"volume {volume.shown}"
    if there.volume:
        draft.problem(
            subject,
            f"its copy at {site} is a volume there already ({image.name})",
            "undo the recovery that made it, or unmanage it: cinder unmanage",
        )
        return None
    if image.primary:
        # Of a recovery that was undone while the source was away.
        if there.note == copy.note(whole=True) and copy.snapshot in image.snapshots:
            return True
        if there.note == copy.note(whole=False):
            return _incomplete(draft, volume, image)
        draft.problem(
            subject,
            f"its copy at {site} is primary: it is no copy any more, and Multisite did not make it so",
            "find out who promoted it; to have it follow the source again, demote and resync it",
        )
        return None
    return True if copy.is_whole(image) else _incomplete(draft, volume, image)


def _incomplete(draft: Draft, volume: VolumeToRestore, image: MirrorImage) -> bool | None:
    """False when the operator accepts what has come; as ``_goes_back``."""
    state = ", ".join(
        filter(None, (image.state, image.detail, f"{image.percent} percent" if image.percent else ""))
    )
    accepted = draft.loss(
        LOSS,
        volume.record.id,
        volume.record.name,
        f"its copy at {draft.facts.site} does not have all data of the restore point ({state or 'state unknown'}): "
        "it would show another moment than the other volumes, or half a copy",
        "wait until it is there, or recover from another restore point",
    )
    return False if accepted else None


def restore_steps(volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
    """See ``base.ProtectionMethod``: promote at the storage, manage in Cinder."""
    does, site = _Restore(volume, target), target.name
    name, promoting = volume.record.name or volume.record.id, str(volume.details["promote_step"])
    return [
        Step(
            promoting, f"Promote the copy of {name}", does.promote, does.take_back, (), RESTORES, site, result=Promoted
        ),
        Step(
            volume.step, f"Manage volume {name}", does.manage, does.unmanage, (promoting,), CALLS, site, result=Made
        ),
    ]  # fmt: skip


class _Restore:
    """What the steps of one volume do."""

    def __init__(self, volume: PlannedVolume, target: RestoreTarget) -> None:
        self._volume, self._target = volume, target
        self._copy = copy_of(volume.record)

    def _storages(self, ctx: StepContext) -> tuple[MirrorBackend, MirrorBackend | None]:
        """The target's, and the source's if Multisite knows it."""
        site = self._target.open(ctx)
        if site.name not in site.mirrors:
            raise StepFailed(f"the storage of {site.name} is no longer in multisite.conf: put it back")
        return site.mirrors[site.name], site.mirrors.get(str(self._volume.details["source"]))

    def promote(self, ctx: StepContext) -> Promoted:
        roll_back = bool(self._volume.details["roll_back"])
        return copies.promote(ctx, *self._storages(ctx), self._copy, roll_back=roll_back)

    def take_back(self, ctx: StepContext, _result: Promoted | None) -> None:
        copies.take_back(ctx, *self._storages(ctx), self._copy)

    def manage(self, ctx: StepContext) -> Made:
        here, _ = self._storages(ctx)
        volume, record, copy = self._volume, self._volume.record, self._copy
        wanted = WantedManaged(
            lambda: copies.find(here, copy).name, here.host, record.name, volume.volume_type,
            volume.availability_zone, self._target.bootable, record.metadata, record.image_metadata,
            record.description, record.read_only,
        )  # fmt: skip
        made = managed.ensure_managed(
            self._target.open(ctx),
            ctx.token,
            wanted,
            timeout=MANAGE_SECONDS,
            fresh=fresh(ctx),
            cancelled=ctx.cancelled,
        )
        ctx.progress(record.size_gib, record.size_gib, "GiB", "managed")
        return Made(made)

    def unmanage(self, ctx: StepContext, result: Made | None) -> None:
        """The volume goes, its image stays: it is the copy."""
        site, known = self._target.open(ctx), result.id if result else None
        managed.unmanage_by_token(site, ctx.token, known, UNDO_SECONDS)
