"""Cinder: snapshots (Block Storage API reference v3; cinder/volume/api.py and manager.py)."""

from __future__ import annotations

from multisite_lab.sim import guest, quotas
from multisite_lab.sim.cinder.volumes import find as find_volume
from multisite_lab.sim.cinder.volumes import invalid_volume, matching, scoped, visible
from multisite_lab.sim.clock import cinder_time
from multisite_lab.sim.model import Row, Sim, Snapshot, Volume, new_id
from multisite_lab.sim.wire import Answer, Ask, Route, fault, ok, page, required


def find(sim: Sim, snapshot_id: str, ask: Ask) -> Snapshot:
    snapshot = sim.state.snapshots.get(snapshot_id)
    if snapshot is None or not visible(ask, snapshot.project_id):
        raise fault(404, f"Snapshot {snapshot_id} could not be found.")
    return snapshot


def view(snapshot: Snapshot, ask: Ask) -> Row:
    row: Row = {
        "id": snapshot.id,
        "name": snapshot.name,
        "description": snapshot.description,
        "volume_id": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size,
        "created_at": cinder_time(snapshot.created_at),
        "updated_at": None,
        "metadata": dict(snapshot.metadata),
    }
    if ask.version >= (3, 14):
        row["group_snapshot_id"] = snapshot.group_snapshot_id
    return row


def listing(sim: Sim, ask: Ask) -> Answer:
    rows = [view(s, ask) for s in scoped(ask, sim.state.snapshots.values())]
    return page(ask, "snapshots", matching(ask, rows), sim.settings.page)


def show(sim: Sim, ask: Ask) -> Answer:
    return ok({"snapshot": view(find(sim, ask.ids["id"], ask), ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    """202 at once; the back end takes it afterwards.  An attached volume needs ``force`` (before 3.66)."""
    wanted = required(ask.body, "snapshot")
    if not wanted.get("volume_id"):
        raise fault(400, "Invalid input for field/attribute snapshot. 'volume_id' is a required property")
    volume = find_volume(sim, str(wanted["volume_id"]), ask)
    if volume.status == "error":
        raise invalid_volume("The snapshot cannot be created when the volume is in error status.")
    if volume.status != "available" and not wanted.get("force") and ask.version < (3, 66):
        raise invalid_volume(
            f"Volume {volume.id} status must be available, but current status is: {volume.status}."
        )
    quotas.refuse_cinder(sim, ask, "snapshots", snapshots=1, gigabytes=volume.size)
    snapshot = make(sim, volume, wanted.get("name") or "", wanted.get("description"))
    snapshot.metadata = dict(wanted.get("metadata") or {})
    return ok({"snapshot": view(snapshot, ask)}, 202)


def make(sim: Sim, volume: Volume, name: str, description: str | None) -> Snapshot:
    made = Snapshot(new_id(), name, description, volume.id, volume.size, volume.project_id, sim.now)
    sim.state.snapshots[made.id] = made
    sim.after(sim.settings.snapshot, lambda: take(sim, made.id))
    return made


def take(sim: Sim, snapshot_id: str) -> None:
    """The moment the data is of: when the back end gets to it, not when it was asked."""
    snapshot = sim.state.snapshots.get(snapshot_id)
    if snapshot is None or snapshot.status != "creating":
        return
    volume = sim.state.volumes.get(snapshot.volume_id)
    if volume is None:
        snapshot.status = "error"
        return
    guest.flush_volume(sim, volume)
    snapshot.content, snapshot.status = volume.content, "available"


def delete(sim: Sim, ask: Ask) -> Answer:
    """202; refused while it is made or read (cinder/volume/api.py, delete_snapshot)."""
    snapshot = find(sim, ask.ids["id"], ask)
    if snapshot.status not in ("available", "error") or snapshot.group_snapshot_id:
        said = "Snapshot status must be available or error and must not be part of a group."
        raise fault(400, f"Invalid snapshot: {said}")
    snapshot.status = "deleting"
    sim.after(sim.settings.delete_snapshot, lambda: sim.state.snapshots.pop(snapshot.id, None))
    return Answer(202)


ROUTES = (
    Route("GET", "/snapshots/detail", listing),
    Route("GET", "/snapshots", listing),
    Route("POST", "/snapshots", create),
    Route("GET", "/snapshots/{id}", show),
    Route("DELETE", "/snapshots/{id}", delete),
)
