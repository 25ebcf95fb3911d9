"""Encrypted volumes: their backups are restored into a type of the same id alone, and need the key.

Source: ``cinder/backup/driver.py``, ``_restore_vol_encryption_meta``; ``cinder/backup/manager.py``, ``_run_restore``,
which copies the key in the key manager of its own site.
"""

from __future__ import annotations

from multisite.domain.manifest import VolumeRecord
from multisite.recovery.recover.draft import Draft


def comes_back_empty(draft: Draft, record: VolumeRecord, volume_type: str | None, *, root: bool) -> bool:
    """Whether its data is given up; refused unless that is accepted.  ``volume_type``: the one it will have."""
    wanted = record.encrypted_type_id
    if wanted is None:
        return False
    site, source = draft.facts.site, draft.manifest.source.name
    chosen = volume_type or draft.facts.default_volume_type
    if any(t.id == wanted and t.name == chosen for t in draft.facts.volume_types):
        draft.loss(
            "encrypted-volume",
            record.id,
            record.name,
            f"it is encrypted: whether the key manager of {site} has its key cannot be asked; without it the restore "
            "fails, and the recovery pauses",
            f"make sure that Cinder at {site} uses the key manager of {source} or a copy of it",
        )
        return False
    name = record.volume_type or ""
    what = f"it is encrypted by the volume type {name!r} ({wanted or 'id unknown'}): Cinder restores it into no other"
    remedy = (
        f"give {site} a type of that id and the key manager of {source}, and map to it: "
        f"{draft.option('volume_types', name, name)}; or, at the source, retype it to a type that is not encrypted, "
        "protect again and recover from that restore point"
    )
    if root:
        draft.problem(f"volume {record.name or record.id}", f"{what}, and a server boots from it", remedy)
        return False
    what += ": it comes back empty"
    return draft.loss("encrypted-volume", record.id, record.name, what, remedy)
