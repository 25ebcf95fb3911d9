"""Cinder: volumes made of images that the storage has (cinder/api/contrib/volume_manage.py, volume/flows)."""

from __future__ import annotations

from multisite_lab.sim.cinder.volumes import make, view, volume_type
from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.wire import Answer, Ask, Route, fault, ok, required


def host_of(sim: Sim) -> str:
    """Cinder's name of the storage."""
    return f"{sim.name}@rbd#rbd"


def manage(sim: Sim, ask: Ask) -> Answer:
    """202; the image is looked for, and renamed, afterwards."""
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow volume_extension:volume_manage to be performed.")
    wanted = required(ask.body, "volume")
    host, image = str(wanted.get("host", "")), str((wanted.get("ref") or {}).get("source-name", ""))
    if image.removeprefix("volume-") in sim.state.volumes:
        raise fault(400, "Invalid volume: Unable to manage existing volume. The volume is already managed")
    if host.partition("#")[0] != host_of(sim).partition("#")[0]:
        raise fault(503, f"Host '{host}' not found")
    kind = volume_type(sim, ask, wanted.get("volume_type") or None)
    volume = make(sim, ask, 1, str(wanted.get("name") or "").strip(), kind)
    volume.size, volume.status = 0, "managing"
    volume.availability_zone = wanted.get("availability_zone") or volume.availability_zone
    volume.description = wanted.get("description")
    volume.metadata, volume.bootable = dict(wanted.get("metadata") or {}), bool(wanted.get("bootable"))
    sim.after(sim.settings.create_volume, lambda: _managed(sim, volume.id, image))
    row: Row = view(sim, volume, ask)
    return ok({"volume": row}, 202)


def _managed(sim: Sim, volume_id: str, image: str) -> None:
    volume, found = sim.state.volumes.get(volume_id), sim.state.stored.pop(image, None)
    if volume is None or volume.status != "managing":
        return
    if found is None:
        volume.status = "error_managing"
        return
    volume.size, volume.content, volume.status = found.size, found.content, "available"
    volume.global_id = found.global_id


ROUTES = (Route("POST", "/os-volume-manage", manage),)
