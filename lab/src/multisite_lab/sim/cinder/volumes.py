"""Cinder: volumes, their metadata and actions (Block Storage API reference v3; cinder/volume/api.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from multisite_lab.sim import quotas
from multisite_lab.sim.clock import cinder_time
from multisite_lab.sim.content import Content
from multisite_lab.sim.model import Image, Row, Sim, Volume, new_id
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, fault, ok, page, refuse_keys, required

DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
LONGEST = 255
_METADATA_KEY = r"[a-zA-Z0-9\-_:. /]{1,255}"
"""cinder/api/validation/parameter_types.py, extra_specs"""


def invalid_volume(reason: str) -> ApiError:
    return fault(400, f"Invalid volume: {reason}")


def find(sim: Sim, volume_id: str, ask: Ask) -> Volume:
    """404 also for one of another project, unless an administrator asks."""
    volume = sim.state.volumes.get(volume_id)
    if volume is None or not visible(ask, volume.project_id):
        raise fault(404, f"Volume {volume_id} could not be found.")
    return volume


def visible(ask: Ask, project_id: str) -> bool:
    return ask.account.is_admin or project_id == ask.account.project_id


def scoped(ask: Ask, rows: Iterable[Any]) -> list[Any]:
    """Those of the project; for an administrator who says ``all_tenants`` all, or of the one he names."""
    if ask.account.is_admin and ask.one("all_tenants") in ("1", "True", "true"):
        project = ask.one("project_id")
        return [row for row in rows if project in (None, row.project_id)]
    return [row for row in rows if row.project_id == ask.account.project_id]


def matching(ask: Ask, rows: Iterable[Row]) -> list[Row]:
    """By the filters everybody has (etc/cinder/resource_filters.json); unknown ones are dropped silently."""
    found = list(rows)
    for name in ("name", "status", "volume_id", "snapshot_id"):
        if (wanted := ask.one(name)) is not None:
            found = [row for row in found if row.get(name) == wanted]
    return found


def view(sim: Sim, volume: Volume, ask: Ask) -> Row:
    """cinder/api/v3/views/volumes.py; attachments appear when they are attached, not when reserved."""
    attached = volume.status not in ("reserved", "attaching") and volume.server_id is not None
    row: Row = {
        "id": volume.id,
        "name": volume.name,
        "description": volume.description,
        "status": volume.status,
        "size": volume.size,
        "availability_zone": volume.availability_zone,
        "created_at": cinder_time(volume.created_at),
        "updated_at": cinder_time(volume.updated_at or volume.created_at),
        "volume_type": volume.volume_type,
        "snapshot_id": volume.snapshot_id,
        "source_volid": None,
        "metadata": {
            **volume.metadata,
            **({"readonly": "True"} if ask.account.is_admin and volume.read_only else {}),
        },
        "links": [{"rel": "self", "href": f"{ask.base}/volumes/{volume.id}"}],
        "user_id": volume.user_id,
        "bootable": "true" if volume.bootable else "false",
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": False,
        "attachments": [_attachment(volume)] if attached else [],
        "os-vol-tenant-attr:tenant_id": volume.project_id,
    }
    if volume.image_metadata:
        row["volume_image_metadata"] = dict(volume.image_metadata)
    if ask.account.is_admin:
        row["migration_status"] = None
        row["os-vol-host-attr:host"] = f"{sim.name}@rbd#rbd"
        row |= {"os-vol-mig-status-attr:migstat": None, "os-vol-mig-status-attr:name_id": None}
    if ask.version >= (3, 13):
        row["group_id"] = volume.group_id
    if ask.account.is_admin and ask.version >= (3, 21):
        row["provider_id"] = None
    return row | volume.more


def _attachment(volume: Volume) -> Row:
    return {
        "id": volume.id,
        "attachment_id": volume.attachment_id,
        "volume_id": volume.id,
        "server_id": volume.server_id,
        "host_name": None,
        "device": volume.device,
        "attached_at": cinder_time(volume.created_at),
    }


def listing(sim: Sim, ask: Ask) -> Answer:
    rows = [view(sim, v, ask) for v in scoped(ask, sim.state.volumes.values())]
    return page(ask, "volumes", matching(ask, rows), sim.settings.page)


def show(sim: Sim, ask: Ask) -> Answer:
    return ok({"volume": view(sim, find(sim, ask.ids["id"], ask), ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    """Blank, from an image, or from a snapshot; 202, and it is made afterwards."""
    wanted = required(ask.body, "volume")
    _check_name(wanted)
    refuse_keys(wanted.get("metadata"), "metadata", _METADATA_KEY)
    source, content, image_metadata = _source(sim, ask, wanted)
    size = wanted.get("size") or source
    if not isinstance(size, int) or size < 1:
        raise fault(400, f"Invalid input for field/attribute size. Value: {size}. {size} is less than 1")
    if source is not None and size < source:
        said = f"Volume size '{size}'GB cannot be smaller than the snapshot size {source}GB."
        raise fault(400, f"Invalid input received: {said} They must be >= original snapshot size.")
    kind, zone = volume_type(sim, ask, wanted.get("volume_type")), wanted.get("availability_zone")
    if zone is not None and zone not in sim.settings.volume_zones:
        raise fault(400, f"Invalid input received: Availability zone '{zone}' is invalid.")
    volume = make(sim, ask, size, wanted.get("name") or "", kind)
    volume.availability_zone = zone or volume.availability_zone
    volume.description = wanted.get("description")
    volume.metadata = dict(wanted.get("metadata") or {})
    volume.snapshot_id = wanted.get("snapshot_id")
    volume.content, volume.image_metadata, volume.bootable = content, image_metadata, bool(image_metadata)
    sim.after(sim.settings.create_volume, lambda: _made(sim, volume.id))
    return ok({"volume": view(sim, volume, ask)}, 202)


def make(sim: Sim, ask: Ask, size: int, name: str, kind: str) -> Volume:
    """A volume in the database, within the quota."""
    quotas.refuse_beyond(sim, "per_volume_gigabytes", size)
    quotas.refuse_cinder(sim, ask, "volumes", volumes=1, gigabytes=size)
    account = ask.account
    volume = Volume(new_id(), name, None, size, account.project_id, account.user_id, kind, sim.now)
    volume.availability_zone = sim.settings.volume_zones[0]
    sim.state.volumes[volume.id] = volume
    return volume


def _made(sim: Sim, volume_id: str) -> None:
    volume = sim.state.volumes.get(volume_id)
    if volume is not None and volume.status == "creating":
        volume.status = "available"


def _check_name(wanted: Row) -> None:
    name = wanted.get("name")
    if isinstance(name, str) and len(name) > LONGEST:
        raise fault(400, f"Invalid input for field/attribute name. Value: {name}. '{name}' is too long")


def _source(sim: Sim, ask: Ask, wanted: Row) -> tuple[int | None, Content, dict[str, str]]:
    """The least size, what is on it, and what the image said."""
    if (snapshot_id := wanted.get("snapshot_id")) is not None:
        snapshot = sim.state.snapshots.get(snapshot_id)
        if snapshot is None or not visible(ask, snapshot.project_id):
            raise fault(404, f"Snapshot {snapshot_id} could not be found.")
        if snapshot.status != "available":
            raise fault(400, "Invalid snapshot: Originating snapshot status must be one of available values")
        origin = sim.state.volumes[snapshot.volume_id]
        return snapshot.size, snapshot.content, dict(origin.image_metadata)
    if (image_id := wanted.get("imageRef")) is not None:
        image = sim.state.images.get(image_id)
        if image is None:
            raise fault(400, "Invalid image identifier or unable to access requested image.")
        if image["status"] != "active":
            raise fault(400, f"Invalid image {image_id}: not active.")
        if (wanted.get("size") or 0) < image["min_disk"]:
            said = f"Volume size {wanted.get('size')}GB cannot be smaller than the image minDisk size"
            raise fault(400, f"Invalid input received: {said} {image['min_disk']}GB.")
        extra = {k: str(v) for k, v in image.items() if k.startswith(("hw_", "os_"))}
        names = {"image_id": image_id, "image_name": image["name"]}
        content = sim.state.image_contents.get(image_id, Content(image=image_id))
        return None, content, {**names, **extra}
    return None, Content(), {}


def volume_type(sim: Sim, ask: Ask, wanted: str | None) -> str:
    """Its name; the site's default when none is named (404 for one that is not there, or not for the project)."""
    types = sim.state.volume_types.values()
    if wanted is None:
        return next(str(row["name"]) for row in types if row.get("is_default"))
    for row in types:
        usable = ask.account.is_admin or row["is_public"] or ask.account.project_id in row.get("_access", ())
        if wanted in (row["id"], row["name"]) and usable:
            return str(row["name"])
    raise fault(404, f"Volume type with name {wanted} could not be found.")


def update(sim: Sim, ask: Ask) -> Answer:
    volume, wanted = find(sim, ask.ids["id"], ask), required(ask.body, "volume")
    _check_name(wanted)
    volume.name = wanted.get("name", volume.name)
    volume.description = wanted.get("description", volume.description)
    volume.updated_at = sim.now
    return ok({"volume": view(sim, volume, ask)})


def replace_metadata(sim: Sim, ask: Ask) -> Answer:
    """PUT replaces all of it (cinder/api/v3/volume_metadata.py, update_all)."""
    volume = find(sim, ask.ids["id"], ask)
    volume.metadata = dict(required(ask.body, "metadata"))
    return ok({"metadata": dict(volume.metadata)})


def delete(sim: Sim, ask: Ask) -> Answer:
    """202; refused unless at rest, free and without snapshots (cinder/volume/api.py, API.delete)."""
    volume = find(sim, ask.ids["id"], ask)
    _refuse_unless_free(sim, volume)
    volume.status = "deleting"
    sim.after(sim.settings.delete_volume, lambda: sim.state.volumes.pop(volume.id, None))
    return Answer(202)


def _refuse_unless_free(sim: Sim, volume: Volume) -> None:
    has_snapshots = any(s.volume_id == volume.id for s in sim.state.snapshots.values())
    if volume.status not in DELETABLE or volume.server_id or has_snapshots or volume.group_id:
        states = ", ".join(DELETABLE[:-1]) + f" or {DELETABLE[-1]}"
        raise invalid_volume(
            f"Volume status must be {states} and must not be migrating, attached, belong to a group, have "
            "snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer."
        )


def action(sim: Sim, ask: Ask) -> Answer:
    volume = find(sim, ask.ids["id"], ask)
    body: Row = ask.body if isinstance(ask.body, dict) else {}
    name = next(iter(body), "")
    if name == "os-set_image_metadata":
        volume.image_metadata |= {k: str(v) for k, v in body[name]["metadata"].items()}
        return ok({"metadata": dict(volume.image_metadata)})
    if name == "os-set_bootable":
        volume.bootable = bool(body[name]["bootable"])
        return Answer(200)
    if name == "os-update_readonly_flag":
        if volume.status != "available":
            said = f"Volume {volume.id} status must be available to update readonly flag, but current status is: "
            raise invalid_volume(f"{said}{volume.status}.")
        volume.read_only = bool(body[name]["readonly"])
        return Answer(202)
    if name == "os-unmanage":
        return _unmanage(sim, volume, ask)
    if name == "os-reset_status" and ask.account.is_admin:
        volume.status = str(body[name]["status"])
        return Answer(202)
    raise fault(
        400, f"There is no such action: {name}. Verify the request body contains Content-Type header."
    )


def _unmanage(sim: Sim, volume: Volume, ask: Ask) -> Answer:
    """As a deletion, but that its image stays (cinder/volume/api.py, API.delete with unmanage_only)."""
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow volume_extension:volume_unmanage to be performed.")
    _refuse_unless_free(sim, volume)
    managed = volume.status != "error_managing"
    volume.status = "unmanaging" if managed else "error_managing_deleting"

    def gone() -> None:
        if sim.state.volumes.pop(volume.id, None) is not None and managed:
            name = f"volume-{volume.id}"
            sim.state.stored[name] = Image(name, volume.size, volume.content, volume.global_id)

    sim.after(sim.settings.delete_volume, gone)
    return Answer(202)


# What Nova does to volumes (cinder/volume/api.py, attachment_create and attachment_delete).


def attach(volume: Volume, server_id: str, device: str, attachment_id: str, now: float) -> None:
    volume.status, volume.server_id = "reserved", server_id
    volume.device, volume.attachment_id, volume.updated_at = device, attachment_id, now


def detach(volume: Volume, now: float) -> None:
    volume.updated_at = now
    volume.status, volume.server_id, volume.device, volume.attachment_id = "available", None, None, None


ROUTES = (
    Route("GET", "/volumes/detail", listing),
    Route("GET", "/volumes", listing),
    Route("POST", "/volumes", create),
    Route("GET", "/volumes/{id}", show),
    Route("PUT", "/volumes/{id}", update),
    Route("DELETE", "/volumes/{id}", delete),
    Route("PUT", "/volumes/{id}/metadata", replace_metadata),
    Route("POST", "/volumes/{id}/action", action),
)
