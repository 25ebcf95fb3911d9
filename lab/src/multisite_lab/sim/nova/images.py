"""Nova: createImage, of servers that boot from a volume and of those whose root disk is a copy of an image.

Source: ``nova/compute/api.py: snapshot_volume_backed, snapshot``, ``nova/compute/manager.py: unquiesce_instance``,
``nova/virt/libvirt/driver.py: snapshot``.
"""

from __future__ import annotations

import json

from multisite_lab.sim import guest, quotas
from multisite_lab.sim.cinder import snapshots
from multisite_lab.sim.clock import nova_time
from multisite_lab.sim.model import Disk, Row, Server, Sim, new_id
from multisite_lab.sim.wire import Answer, ApiError, Ask, fault, ok

_TRUE = ("yes", "true", "1", "on")


def create_image(sim: Sim, ask: Ask, server: Server, wanted: Row) -> Answer:
    """202 with the image's id (from 2.45 on); the root disk is uploaded afterwards, snapshots are taken afterwards."""
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise fault(400, f"Invalid input for field/attribute name. Value: {name}. '{name}' is not valid")
    if server.status not in ("ACTIVE", "SHUTOFF") or server.task_state:
        what = f"task_state {server.task_state}" if server.task_state else f"vm_state {server.status.lower()}"
        raise fault(409, f"Cannot 'createImage' instance {server.id} while it is in {what}")
    image = _volume_backed if server.local is None else _image_backed
    row = image(sim, ask, server, name, dict(wanted.get("metadata") or {}))
    if ask.version < (2, 45):
        return Answer(202, headers={"Location": f"{ask.base}/images/{row['id']}"})
    return ok({"image_id": row["id"]}, 202)


def _said(server: Server, name: str) -> bool:
    return server.image_properties.get(name, "").lower() in _TRUE


def _freezes(server: Server) -> bool:
    """Whether the guest will stand still; refused where it has to and cannot."""
    if server.status != "ACTIVE":
        return False
    enabled = _said(server, "hw_qemu_guest_agent")
    if enabled and server.agent == "ok" and server.freeze.state == "thawed":
        return True
    if _said(server, "os_require_quiesce"):
        if not enabled:
            raise fault(400, "QEMU guest agent is not enabled")
        reason = "libvirt cannot connect to the qemu-guest-agent inside the instance."
        raise fault(409, f"Failed to quiesce instance: Error from libvirt while quiescing: {reason}")
    return False


def _image(sim: Sim, ask: Ask, server: Server, name: str, more: Row) -> Row:
    """In the project of who asks, with what the server's image said."""
    made: Row = {
        "id": new_id(), "name": name, "visibility": "private", "owner": ask.account.project_id, "tags": [],
        "created_at": nova_time(sim.now), "updated_at": nova_time(sim.now),
        "min_disk": server.flavor["disk"], "min_ram": 0, "disk_format": "raw", "container_format": "bare", "size": 0,
        "schema": "/v2/schemas/image", "base_image_ref": server.image, **server.image_properties, **more,
    }  # fmt: skip
    sim.state.images[made["id"]] = made
    return made


def _volume_backed(sim: Sim, ask: Ask, server: Server, name: str, more: Row) -> Row:
    """An empty image that names a snapshot of each volume; the guest is thawed when they are complete."""
    if quotas.over(sim, ask.account.project_id, snapshots=len(server.disks)):
        raise fault(403, "Quota exceeded for resources: snapshots")
    frozen = _freezes(server)
    if frozen:
        guest.park(sim, server)
    mapping = []
    for number, disk in enumerate(server.disks):
        volume = sim.state.volumes[disk.volume_id]
        made = snapshots.make(sim, volume, f"snapshot for {name}", volume.description)
        mapping.append(_mapped(disk, number, made.id, made.size))
    if frozen:
        sim.after(sim.settings.snapshot, lambda: guest.go_on(sim, server))
    told = {"block_device_mapping": json.dumps(mapping), "bdm_v2": "True", "status": "active"}
    row = _image(sim, ask, server, name, more)
    row |= {**told, "root_device_name": server.disks[0].device}
    return row


def _mapped(disk: Disk, number: int, snapshot_id: str, size: int) -> Row:
    return {
        "source_type": "snapshot", "destination_type": "volume", "snapshot_id": snapshot_id, "volume_size": size,
        "boot_index": 0 if number == 0 else None, "device_name": disk.device, "device_type": "disk",
        "delete_on_termination": disk.delete_on_termination, "disk_bus": "virtio",
    }  # fmt: skip


def _image_backed(sim: Sim, ask: Ask, server: Server, name: str, more: Row) -> Row:
    """The root disk alone, uploaded; other volumes are left out."""
    kept = {"instance_uuid": server.id, "user_id": ask.account.user_id, "image_type": "snapshot"}
    row = _image(sim, ask, server, name, {**kept, **more})
    row["status"] = "queued"
    server.task_state = "image_snapshot_pending"
    sim.after(sim.settings.snapshot, lambda: _taken(sim, server, row["id"]))
    sim.after(sim.settings.snapshot + sim.settings.upload, lambda: _uploaded(sim, server, row["id"]))
    return row


def _taken(sim: Sim, server: Server, image_id: str) -> None:
    if server.local is None or server.id not in sim.state.servers:
        return
    server.task_state = "image_uploading"
    try:
        frozen = _freezes(server)
    except ApiError:  # nova-compute deletes the image where it has to freeze and cannot
        sim.state.images.pop(image_id, None)
        return
    if frozen:
        guest.park(sim, server)
    guest.flush(sim, server)
    if image_id in sim.state.images:
        sim.state.image_contents[image_id] = server.local.content
        sim.state.images[image_id]["status"] = "saving"
    if frozen:
        guest.go_on(sim, server)


def _uploaded(sim: Sim, server: Server, image_id: str) -> None:
    server.task_state = None if (server.task_state or "").startswith("image_") else server.task_state
    if (row := sim.state.images.get(image_id)) is not None:
        row |= {"status": "active", "size": 40 << 20, "virtual_size": server.flavor["disk"] << 30}
        row |= {"image_location": "snapshot", "image_state": "available", "owner_id": server.project_id}
