"""Taking over volumes that are kept restored at the target (warm standby), in place of restoring them.

A volume that may not be taken over is restored as any other, and the preview says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.standby import KeptVolume, unusable
from multisite.domain.standby import Standby, StandbyState
from multisite.recovery.methods.base import ProtectionMethod, VolumeToRestore
from multisite.recovery.methods.standby import KeepsStandby
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume

PART = "standby_volumes"
"""Of the target's facts (``method_parts``): id -> the volume as Cinder shows it, None where there is none."""


def read_volumes(site: CloudSite, standby: Iterable[Standby]) -> dict[str, Mapping[str, Any] | None]:
    """The volumes of what is ready, each by its id.  Raises what ``call`` raises."""
    ready = (one for one in standby if one.state is StandbyState.READY)
    ids = [volume.id for one in ready for volume in one.volumes]
    return {id: resources.read_or_none(site, "volume", id) for id in ids}


def plan_or_promote(
    draft: Draft, method: ProtectionMethod, volumes: Sequence[VolumeToRestore]
) -> list[PlannedVolume]:
    """As the method's ``plan_restore``; those that are ready at the target are taken over, and need nothing of it."""
    standby = _ready(draft)
    if standby is None or not isinstance(method, KeepsStandby):
        return method.plan_restore(draft, volumes)
    # What restoring would do, need and lack is said only of those that are restored.
    aside = replace(draft, items=[], problems=[], unread=[], quota=Counter(), accepted=[])
    planned = {volume.step: volume for volume in method.plan_restore(aside, volumes)}
    promoted: list[PlannedVolume] = []
    for volume in volumes:
        if (found := planned.get(volume.step)) is not None:
            kept = _kept(draft, standby, method, found)
            promoted += [replace(found, standby=kept)] if kept is not None else []
    taken = {volume.step for volume in promoted}
    rest = [volume for volume in volumes if volume.step not in taken]
    return [*promoted, *(method.plan_restore(draft, rest) if rest else [])]


def claimed(draft: Draft, volumes: Sequence[PlannedVolume]) -> str:
    """Id of the standby that a plan with these volumes takes over; "" for none."""
    standby = _ready(draft)
    return standby.id if standby is not None and any(volume.standby for volume in volumes) else ""


def tell_why_not(draft: Draft) -> None:
    """Say once why nothing of what is kept of this restore point is taken over."""
    if not draft.standby or _ready(draft) is not None:
        return
    subject, newest = f"standby of restore point {draft.manifest.id}", draft.standby[0]
    why = f"its volumes are {newest.state}"
    if newest.state is StandbyState.READY:
        why = f"its volumes are in project {newest.site_project_id}, another one"
    if not draft.facts.knows(PART):
        why = f"its volumes could not be read: {draft.facts.unknown[PART]}"
    by = f" by recovery {newest.recovery_id}" if newest.recovery_id else ""
    draft.note(subject, f"{why}{by}: the volumes are restored", "nothing to do, but that it takes longer")


def _ready(draft: Draft) -> Standby | None:
    """The one that may be taken over as a whole."""
    if not draft.standby or not draft.facts.knows(PART):
        return None
    here = draft.rules.projects.values()
    ready = (one for one in draft.standby if one.state is StandbyState.READY)
    return next((one for one in ready if one.site_project_id in here), None)


def _kept(draft: Draft, standby: Standby, method: KeepsStandby, volume: PlannedVolume) -> KeptVolume | None:
    """What to take over for a volume, noted in the draft; None: it is restored."""
    known = next((one for one in standby.volumes if one.source_id == volume.record.id), None)
    if known is None:
        return None
    kept = method.kept_volume(volume, known, standby.digest, draft.facts.default_volume_type)
    if kept is None:
        return None
    rows: Mapping[str, Mapping[str, Any] | None] = draft.facts.method_parts[PART]
    name = volume.record.name or volume.record.id
    if why := unusable(rows.get(kept.id), kept, draft.facts.project_id):
        said = f"its standby volume {kept.id} {why}: it is restored from its backups instead"
        draft.note(
            f"volume {name}", said, "nothing to do, but that it takes longer; it is restored anew later"
        )
        return None
    kind = kept.volume_type or "the target's default"
    draft.use(
        "volume", name, kept.id, f"{kept.size_gib} GiB, type {kind}: ready, promotion in place of a restore"
    )
    return kept
