"""Cinder: backups, their records, and restoring (cinder/backup/api.py, manager.py, chunkeddriver.py)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

from multisite_lab.sim import guest, quotas
from multisite_lab.sim.cinder.snapshots import find as find_snapshot
from multisite_lab.sim.cinder.volumes import find as find_volume
from multisite_lab.sim.cinder.volumes import invalid_volume, make, matching, scoped, visible, volume_type
from multisite_lab.sim.clock import cinder_time
from multisite_lab.sim.content import Content, Stored, changes
from multisite_lab.sim.model import Backup, Row, Sim, Snapshot, Volume, new_id
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, fault, ok, page, required

SERVICE = "cinder.backup.drivers.posix.PosixBackupDriver"
NEVER = 0.0
"""Stands for the year 1, which a backup that cannot be a parent counts as (API.create)."""


def invalid(reason: str) -> ApiError:
    return fault(400, f"Invalid backup: {reason}")


def find(sim: Sim, backup_id: str, ask: Ask) -> Backup:
    backup = sim.state.backups.get(backup_id)
    if backup is None or not visible(ask, backup.project_id):
        raise fault(404, f"Backup {backup_id} could not be found.")
    return backup


def children(sim: Sim, backup_id: str) -> list[Backup]:
    return [b for b in sim.state.backups.values() if b.parent_id == backup_id]


def view(sim: Sim, backup: Backup, ask: Ask) -> Row:
    row: Row = {
        "id": backup.id,
        "name": backup.name,
        "description": backup.description,
        "status": backup.status,
        "size": backup.size,
        "object_count": 1 if backup.status == "available" else 0,
        "availability_zone": "nova",
        "container": backup.container,
        "created_at": cinder_time(backup.created_at),
        "updated_at": cinder_time(backup.created_at),
        "fail_reason": backup.fail_reason,
        "volume_id": backup.volume_id,
        "links": [{"rel": "self", "href": f"{ask.base}/backups/{backup.id}"}],
        "is_incremental": backup.parent_id is not None,
        "has_dependent_backups": bool(children(sim, backup.id)),
        "snapshot_id": backup.snapshot_id,
        "data_timestamp": cinder_time(backup.data_timestamp),
    }
    if ask.version >= (3, 43):
        row["metadata"] = dict(backup.metadata)
    if ask.account.is_admin and ask.version >= (3, 18):
        row["os-backup-project-attr:project_id"] = backup.project_id
    return row


def listing(sim: Sim, ask: Ask) -> Answer:
    rows = [view(sim, b, ask) for b in scoped(ask, sim.state.backups.values())]
    return page(ask, "backups", matching(ask, rows), sim.settings.page)


def show(sim: Sim, ask: Ask) -> Answer:
    return ok({"backup": view(sim, find(sim, ask.ids["id"], ask), ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    """202 with id and name only; the data is copied afterwards."""
    wanted = required(ask.body, "backup")
    volume = find_volume(sim, str(wanted.get("volume_id")), ask)
    snapshot = _snapshot(sim, ask, wanted, volume)
    quotas.refuse_cinder(sim, ask, "backups", backups=1, backup_gigabytes=volume.size)
    parent = choose_parent(sim, volume, snapshot) if wanted.get("incremental") else None
    backup = Backup(
        new_id(),
        wanted.get("name"),
        wanted.get("description"),
        volume.id,
        volume.size,
        ask.account.project_id,
        sim.now,
        snapshot.created_at if snapshot else sim.now,
        snapshot_id=snapshot.id if snapshot else None,
        parent_id=parent.id if parent else None,
        metadata=dict(wanted.get("metadata") or {}) if ask.version >= (3, 43) else {},
        service=SERVICE,
    )
    sim.state.backups[backup.id] = backup
    if snapshot is not None:
        snapshot.status = "backing-up"
    previous = volume.status
    if snapshot is None:
        volume.status = "backing-up"
    sim.after(sim.settings.backup, lambda: _copied(sim, backup, previous))
    links = [{"rel": "self", "href": f"{ask.base}/backups/{backup.id}"}]
    return ok({"backup": {"id": backup.id, "name": backup.name, "links": links}}, 202)


def _snapshot(sim: Sim, ask: Ask, wanted: Row, volume: Volume) -> Snapshot | None:
    if wanted.get("snapshot_id") is not None:
        snapshot = find_snapshot(sim, str(wanted["snapshot_id"]), ask)
        if snapshot.volume_id != volume.id:
            raise invalid_volume(
                f"Volume {volume.id} does not match with snapshot.volume_id {snapshot.volume_id}."
            )
        if snapshot.status != "available":
            said = (
                f'Snapshot to be backed up must be available, but the current status is "{snapshot.status}".'
            )
            raise fault(400, f"Invalid snapshot: {said}")
        return snapshot
    if volume.status not in ("available", "in-use"):
        raise invalid_volume(
            "Volume to be backed up must be available or in-use, but the current status is "
            f'"{volume.status}".'
        )
    if volume.status == "in-use" and not wanted.get("force"):
        raise invalid_volume("Backing up an in-use volume must use the force flag.")
    return None


def choose_parent(sim: Sim, volume: Volume, snapshot: Snapshot | None) -> Backup:
    """The backup of the same volume with the newest data before the snapshot's (API.create).

    One that cannot be the parent counts as very old; is it chosen for lack of others, it must be available.
    """
    own = [b for b in sim.state.backups.values() if b.volume_id == volume.id]

    def age(backup: Backup) -> float:
        early = snapshot is None or backup.data_timestamp < snapshot.created_at
        return backup.data_timestamp if backup.status == "available" and early else NEVER

    latest = max(own, key=age, default=None)
    if latest is None or latest.status != "available":
        raise invalid("No backups available to do an incremental backup.")
    return latest


def _copied(sim: Sim, backup: Backup, previous: str) -> None:
    """What was read is free again, also when the backup was deleted meanwhile (manager.py, create_backup)."""
    volume = sim.state.volumes.get(backup.volume_id)
    snapshot = sim.state.snapshots.get(backup.snapshot_id or "")
    if snapshot is not None and snapshot.status == "backing-up":
        snapshot.status = "available"
    if volume is not None and volume.status == "backing-up":
        volume.status = previous
    if backup.id not in sim.state.backups or volume is None or backup.status != "creating":
        return
    guest.flush_volume(sim, volume)
    content = snapshot.content if snapshot else volume.content
    try:
        before = sim.store.content_of(chain(sim, backup.parent_id)) if backup.parent_id else Content()
    except KeyError as missing:
        backup.status, backup.fail_reason = "error", f"parent backup {missing} is not in the store"
        return
    container = f"{backup.id[:2]}/{backup.id[2:4]}/{backup.id}"
    moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(backup.created_at))
    backup.prefix = f"volume_{backup.volume_id}_{moment}_backup_{backup.id}"
    stored = Stored(
        backup.parent_id,
        changes(before, content),
        dict(volume.metadata),
        dict(volume.image_metadata),
        volume.name,
        volume.description,
        volume.bootable,
        f"{container}/{backup.prefix}",
        _type_id(sim, volume) if volume.more.get("encrypted") else None,
    )
    sim.store.put(backup.id, stored)
    backup.status, backup.container = "available", container


def _type_id(sim: Sim, volume: Volume) -> str:
    return next((id for id, row in sim.state.volume_types.items() if row["name"] == volume.volume_type), "")


def chain(sim: Sim, backup_id: str | None) -> list[str]:
    """From the full backup on, as the records of this site say it; KeyError names a record that is missing."""
    found: list[str] = []
    while backup_id is not None:
        found.insert(0, backup_id)
        backup_id = sim.state.backups[backup_id].parent_id
    return found


def delete(sim: Sim, ask: Ask) -> Answer:
    backup = find(sim, ask.ids["id"], ask)
    if backup.status not in ("available", "error"):
        raise invalid("Backup status must be available or error")
    return _delete(sim, backup)


def _delete(sim: Sim, backup: Backup) -> Answer:
    if children(sim, backup.id):
        raise invalid("Incremental backups exist for this backup.")
    backup.status = "deleting"
    sim.after(sim.settings.delete_backup, lambda: _deleted(sim, backup.id))
    return Answer(202)


def _deleted(sim: Sim, backup_id: str) -> None:
    """With its data, also when only its record had been imported here (manager.py, delete_backup)."""
    sim.state.backups.pop(backup_id, None)
    sim.store.remove(backup_id)


def action(sim: Sim, ask: Ask) -> Answer:
    """os-force_delete: for administrators; the chunked drivers allow it."""
    backup = find(sim, ask.ids["id"], ask)
    name = next(iter(ask.body), "") if isinstance(ask.body, dict) else ""
    if name != "os-force_delete":
        raise fault(400, f"There is no such action: {name}.")
    if not ask.account.is_admin:
        raise fault(
            403, "Policy doesn't allow volume_extension:backup_admin_actions:force_delete to be performed."
        )
    return _delete(sim, backup)


def export_record(sim: Sim, ask: Ask) -> Answer:
    """``backup_url`` is base64 of JSON (cinder/objects/backup.py, encode_record)."""
    backup = find(sim, ask.ids["id"], ask)
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow backup:export-import to be performed.")
    if backup.status != "available":
        raise invalid(f"Backup status must be available and not {backup.status}.")
    url = base64.b64encode(json.dumps(_record(backup)).encode()).decode()
    return ok({"backup-record": {"backup_service": backup.service, "backup_url": url}})


def _record(backup: Backup) -> Row:
    return {
        "id": backup.id,
        "parent_id": backup.parent_id,
        "volume_id": backup.volume_id,
        "snapshot_id": backup.snapshot_id,
        "size": backup.size,
        "display_name": backup.name,
        "display_description": backup.description,
        "container": backup.container,
        "service": backup.service,
        "service_metadata": backup.prefix or backup.container,
        "object_count": 1,
        "status": "available",
        "created_at": backup.created_at,
        "data_timestamp": backup.data_timestamp,
        "driver_info": {},
    }


def import_record(sim: Sim, ask: Ask) -> Answer:
    """201; the record keeps its id and is refused when it is known (API._get_import_backup)."""
    wanted = required(ask.body, "backup-record")
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow backup:backup-import to be performed.")
    try:
        record: Row = json.loads(base64.b64decode(str(wanted["backup_url"]), validate=True))
    except (KeyError, ValueError, binascii.Error):
        raise fault(400, "Invalid input received: Can't decode backup record.") from None
    for name in ("id", "size"):
        if name not in record:
            raise fault(400, f"Invalid input received: Provided backup record is missing {name}")
    if record["id"] in sim.state.backups:
        raise invalid("Backup already exists in database.")
    quotas.refuse_cinder(sim, ask, "backups", backups=1, backup_gigabytes=record["size"])
    backup = Backup(
        record["id"], None, None, "00000000-0000-0000-0000-000000000000", record["size"],
        ask.account.project_id, sim.now, sim.now, imported=True,
    )  # fmt: skip
    sim.state.backups[backup.id] = backup
    service = str(wanted.get("backup_service"))
    sim.after(sim.settings.import_record, lambda: _imported(sim, backup.id, record, service))
    links = [{"rel": "self", "href": f"{ask.base}/backups/{backup.id}"}]
    return ok({"backup": {"id": backup.id, "name": None, "links": links}}, 201)


def _imported(sim: Sim, backup_id: str, record: dict[str, Any], service: str) -> None:
    """Take over what the record says (manager.py, import_record)."""
    backup = sim.state.backups.get(backup_id)
    if backup is None or backup.status != "creating":
        return
    needed = {"display_name", "display_description", "container", "size", "service_metadata", "object_count"}
    if service != SERVICE:
        backup.status = "error"
        backup.fail_reason = (
            "Import record failed, cannot find backup service to perform the import. "
            f"Request service {service}."
        )
    elif missing := sorted(needed - set(record)):
        backup.status = "error"
        backup.fail_reason = (
            "Driver successfully decoded imported backup data, but there are missing fields "
            f"({', '.join(missing)})."
        )
    else:
        backup.volume_id, backup.snapshot_id = str(record.get("volume_id")), record.get("snapshot_id")
        backup.parent_id, backup.container = record.get("parent_id"), record["container"]
        backup.prefix = record["service_metadata"]
        backup.created_at = float(record.get("created_at") or backup.created_at)
        backup.data_timestamp = float(record.get("data_timestamp") or backup.created_at)
        backup.name, backup.service, backup.status = record["display_name"], service, "available"


def restore(sim: Sim, ask: Ask) -> Answer:
    """202; into a given volume, or a new one (API.restore)."""
    wanted = required(ask.body, "restore")
    backup = find(sim, ask.ids["id"], ask)
    if backup.status != "available":
        raise invalid("Backup status must be available")
    if wanted.get("volume_id") is None:
        name = wanted.get("name") or f"restore_backup_{backup.id}"
        volume = make(sim, ask, backup.size, name, volume_type(sim, ask, None))
        volume.description = "auto-created_from_restore_from_backup"
    else:
        volume = find_volume(sim, str(wanted["volume_id"]), ask)
        if volume.status != "available":
            raise invalid_volume("Volume to be restored to must be available")
        if backup.size > volume.size:
            raise invalid_volume(
                f"volume size {volume.size} is too small to restore backup of size {backup.size}."
            )
    backup.status, volume.status = "restoring", "restoring-backup"
    seconds = sim.settings.restore + sim.settings.restore_per_gib * backup.size
    sim.after(seconds, lambda: _restored(sim, backup.id, volume.id))
    return ok({"restore": {"backup_id": backup.id, "volume_id": volume.id, "volume_name": volume.name}}, 202)


def _restored(sim: Sim, backup_id: str, volume_id: str) -> None:
    """Follow the chain of records, then the volume's metadata (backup/driver.py, BackupMetadataAPI)."""
    backup, volume = sim.state.backups.get(backup_id), sim.state.volumes.get(volume_id)
    if backup is not None and backup.status == "restoring":
        backup.status = "available"
    if backup is None or volume is None:
        return
    try:
        content = sim.store.content_of(chain(sim, backup_id))
    except KeyError as missing:
        volume.status = "error_restoring"
        sim.state.messages.append(_message(volume_id, f"Backup {missing} could not be found."))
        return
    stored = sim.store.objects[backup_id]
    if stored.encrypted_type_id is not None:
        if stored.encrypted_type_id != (chosen := _type_id(sim, volume)):
            said = (
                f"The source volume type '{stored.encrypted_type_id}' is different than the destination volume type "
                f"'{chosen}'."
            )
            volume.status = "error_restoring"
            sim.state.messages.append(_message(volume_id, said))
            return
        volume.more["encrypted"] = True
    volume.content, volume.status = content, "available"
    if volume.name.startswith("restore_backup_") and stored.name:
        volume.name, volume.description = stored.name, stored.description
    if stored.metadata:
        volume.metadata = dict(stored.metadata)
    if stored.image_metadata:
        volume.image_metadata, volume.bootable = dict(stored.image_metadata), True
    if backup.volume_id != volume.id:
        volume.metadata["src_backup_id"] = backup_id


def _message(volume_id: str, text: str) -> Row:
    said = f"restore backup:Backup failed: {text}"
    return {"id": new_id(), "resource_uuid": volume_id, "user_message": said, "message_level": "ERROR"}


ROUTES = (
    Route("GET", "/backups/detail", listing),
    Route("GET", "/backups", listing),
    Route("POST", "/backups", create),
    Route("POST", "/backups/import_record", import_record),
    Route("GET", "/backups/{id}", show),
    Route("DELETE", "/backups/{id}", delete),
    Route("POST", "/backups/{id}/action", action),
    Route("GET", "/backups/{id}/export_record", export_record),
    Route("POST", "/backups/{id}/restore", restore),
)
