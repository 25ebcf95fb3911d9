"""Cinder: volume types, groups and their snapshots, services, messages (Block Storage API reference v3)."""

from __future__ import annotations

from multisite_lab.sim import guest, quotas
from multisite_lab.sim.cinder.snapshots import make as make_snapshot
from multisite_lab.sim.cinder.volumes import find as find_volume
from multisite_lab.sim.clock import cinder_time
from multisite_lab.sim.model import Row, Sim, new_id
from multisite_lab.sim.wire import Answer, Ask, Route, fault, ok, page, required

SPEC = "consistent_group_snapshot_enabled"


ACCESS = "_access"
"""Of a type, not shown: the projects that may use a private one."""
ENCRYPTION = "_encryption"
"""Of a volume type, shown by a call of its own."""
_HIDDEN = ("is_default", ACCESS, ENCRYPTION)


def types(sim: Sim, ask: Ask) -> Answer:
    """Public ones and those the project has access to; ``is_public=None`` shows administrators all (v3/types.py)."""
    everything = (
        ask.account.is_admin and str(ask.one("is_public")).lower() == "none" and "is_public" in ask.query
    )
    project = ask.account.project_id
    rows = [
        _type(row)
        for row in sim.state.volume_types.values()
        if everything or row["is_public"] or project in row.get(ACCESS, ())
    ]
    return page(ask, "volume_types", rows, sim.settings.page)


def _type(row: Row) -> Row:
    return {k: v for k, v in row.items() if k not in _HIDDEN}


def default_type(sim: Sim, _ask: Ask) -> Answer:
    for row in sim.state.volume_types.values():
        if row.get("is_default"):
            return ok({"volume_type": _type(row)})
    raise fault(404, "Default volume type can not be found.")


def create_type(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "volume_extension:type_create")
    wanted = required(ask.body, "volume_type")
    row: Row = {
        "id": new_id(),
        "name": wanted["name"],
        "description": wanted.get("description"),
        "is_public": wanted.get("os-volume-type-access:is_public", True),
        "extra_specs": {},
    }
    sim.state.volume_types[row["id"]] = row
    return ok({"volume_type": _type(row)})


def _known_type(sim: Sim, ask: Ask) -> Row:
    row = sim.state.volume_types.get(ask.ids["id"])
    if row is None:
        raise fault(404, f"Volume type {ask.ids['id']} could not be found.")
    return row


def show_type(sim: Sim, ask: Ask) -> Answer:
    return ok({"volume_type": _type(_known_type(sim, ask))})


def show_encryption(sim: Sim, ask: Ask) -> Answer:
    """{} of one that is not encrypted (cinder/api/contrib/volume_type_encryption.py)."""
    _admins_only(ask, "volume_extension:volume_type_encryption:get")
    return ok(_known_type(sim, ask).get(ENCRYPTION) or {})


def encrypt_type(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "volume_extension:volume_type_encryption:create")
    row, wanted = _known_type(sim, ask), required(ask.body, "encryption")
    if row.get(ENCRYPTION):
        raise fault(400, f"Volume type encryption for type {row['id']} already exists.")
    row[ENCRYPTION] = {
        "volume_type_id": row["id"], "encryption_id": new_id(), "provider": wanted["provider"],
        "control_location": wanted["control_location"], "cipher": wanted.get("cipher"),
        "key_size": wanted.get("key_size"), "deleted": False,
    }  # fmt: skip
    return ok({"encryption": row[ENCRYPTION]})


def update_type(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "volume_extension:type_update")
    row, wanted = _known_type(sim, ask), required(ask.body, "volume_type")
    row |= {k: v for k, v in wanted.items() if k in ("name", "description", "is_public")}
    return ok({"volume_type": _type(row)})


def add_type_specs(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "volume_extension:types_extra_specs:create")
    row, wanted = _known_type(sim, ask), required(ask.body, "extra_specs")
    row["extra_specs"] = {**row["extra_specs"], **wanted}
    return ok({"extra_specs": wanted})


def delete_type_spec(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "volume_extension:types_extra_specs:delete")
    row = _known_type(sim, ask)
    if ask.ids["key"] not in row["extra_specs"]:
        raise fault(404, f"Volume Type {row['id']} has no extra specs with key {ask.ids['key']}.")
    row["extra_specs"] = {k: v for k, v in row["extra_specs"].items() if k != ask.ids["key"]}
    return Answer(202)


def delete_type(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "volume_extension:type_delete")
    if sim.state.volume_types.pop(ask.ids["id"], None) is None:
        raise fault(404, f"Volume type {ask.ids['id']} could not be found.")
    return Answer(202)


def type_action(sim: Sim, ask: Ask) -> Answer:
    """Access to a private type, for a project (cinder/api/contrib/volume_type_access.py)."""
    _admins_only(ask, "volume_extension:volume_type_access:addProjectAccess")
    row = _known_type(sim, ask)
    if row["is_public"]:
        raise fault(409, "Type access modification is not applicable to public volume type.")
    row[ACCESS] = (*row.get(ACCESS, ()), required(ask.body, "addProjectAccess")["project"])
    return Answer(202)


def _admins_only(ask: Ask, rule: str) -> None:
    if not ask.account.is_admin:
        raise fault(403, f"Policy doesn't allow {rule} to be performed.")


def zones(sim: Sim, _ask: Ask) -> Answer:
    """Without the hosts of each, which only Nova tells (cinder/api/contrib/availability_zones.py)."""
    rows = [{"zoneName": zone, "zoneState": {"available": True}} for zone in sim.settings.volume_zones]
    return ok({"availabilityZoneInfo": rows})


def services(sim: Sim, ask: Ask) -> Answer:
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow volume_extension:services:index to be performed.")
    names = {"cinder-scheduler": sim.name, "cinder-volume": f"{sim.name}@rbd", "cinder-backup": sim.name}
    rows = [
        {"binary": binary, "host": host, "zone": "nova", "status": "enabled",
         "state": sim.settings.backup_service if binary == "cinder-backup" else "up",
         "updated_at": cinder_time(sim.now), "disabled_reason": None}
        for binary, host in names.items()
        if ask.one("binary") in (None, binary)
    ]  # fmt: skip
    return ok({"services": rows})


def messages(sim: Sim, ask: Ask) -> Answer:
    about = ask.one("resource_uuid")
    return ok({"messages": [m for m in sim.state.messages if about in (None, m["resource_uuid"])]})


def group_types(sim: Sim, ask: Ask) -> Answer:
    return ok({"group_types": [_group_type(row, ask) for row in sim.state.group_types.values()]})


def group_type(sim: Sim, ask: Ask) -> Answer:
    row = sim.state.group_types.get(ask.ids["id"])
    if row is None:
        raise fault(404, f"Group type {ask.ids['id']} could not be found.")
    return ok({"group_type": _group_type(row, ask)})


def _group_type(row: Row, ask: Ask) -> Row:
    """The specs are left out for all but administrators (cinder/api/v3/views/group_types.py)."""
    return row if ask.account.is_admin else {k: v for k, v in row.items() if k != "group_specs"}


def create_group_type(sim: Sim, ask: Ask) -> Answer:
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow group:group_types:create to be performed.")
    wanted = required(ask.body, "group_type")
    row = {"id": new_id(), "name": wanted["name"], "description": None, "is_public": True}
    row["group_specs"] = dict(wanted.get("group_specs") or {})
    sim.state.group_types[row["id"]] = row
    return ok({"group_type": row}, 202)


def delete_group_type(sim: Sim, ask: Ask) -> Answer:
    if any(row["group_type"] == ask.ids["id"] for row in sim.state.groups.values()):
        raise fault(
            400, f"Target group type is still in use. Group type {ask.ids['id']} delete is not allowed"
        )
    sim.state.group_types.pop(ask.ids["id"], None)
    return Answer(202)


def groups(sim: Sim, ask: Ask) -> Answer:
    return page(ask, "groups", sim.state.groups.values(), sim.settings.page)


def _group(sim: Sim, group_id: str) -> Row:
    row = sim.state.groups.get(group_id)
    if row is None:
        raise fault(404, f"Group {group_id} could not be found.")
    return row


def group(sim: Sim, ask: Ask) -> Answer:
    return ok({"group": _group(sim, ask.ids["id"])})


def create_group(sim: Sim, ask: Ask) -> Answer:
    wanted = required(ask.body, "group")
    row: Row = {
        "id": new_id(),
        "name": wanted.get("name"),
        "description": wanted.get("description"),
        "status": "creating",
        "availability_zone": "nova",
        "created_at": cinder_time(sim.now),
        "group_type": wanted["group_type"],
        "volume_types": wanted["volume_types"],
        "group_snapshot_id": None,
        "source_group_id": None,
    }
    sim.state.groups[row["id"]] = row
    sim.after(sim.settings.create_volume, lambda: _set_available(sim, row["id"]))
    return ok({"group": {"id": row["id"], "name": row["name"]}}, 202)


def _set_available(sim: Sim, group_id: str) -> None:
    if (row := sim.state.groups.get(group_id)) is not None:
        row["status"] = "available"


def update_group(sim: Sim, ask: Ask) -> Answer:
    """``add_volumes`` and ``remove_volumes`` are ids with commas between them."""
    row, wanted = _group(sim, ask.ids["id"]), required(ask.body, "group")
    if row["status"] != "available":
        raise fault(400, f"Invalid group: Update group status must be available, but it is {row['status']}.")
    for key, group_id in (("add_volumes", row["id"]), ("remove_volumes", None)):
        for volume_id in filter(None, (wanted.get(key) or "").split(",")):
            find_volume(sim, volume_id, ask).group_id = group_id
    row["status"] = "updating"
    sim.after(sim.settings.create_volume, lambda: _set_available(sim, row["id"]))
    return Answer(202)


def group_action(sim: Sim, ask: Ask) -> Answer:
    row = _group(sim, ask.ids["id"])
    if not isinstance(ask.body, dict) or "delete" not in ask.body:
        raise fault(400, "There is no such action.")
    members = [v for v in sim.state.volumes.values() if v.group_id == row["id"]]
    if members and not ask.body["delete"].get("delete-volumes"):
        raise fault(
            400, f"Invalid group: Group {row['id']} still contains volumes. Delete-volumes is required."
        )
    for volume in members:
        del sim.state.volumes[volume.id]
    row["status"] = "deleting"
    sim.after(sim.settings.delete_volume, lambda: sim.state.groups.pop(row["id"], None))
    return Answer(202)


def group_snapshots(sim: Sim, ask: Ask) -> Answer:
    return page(ask, "group_snapshots", sim.state.group_snapshots.values(), sim.settings.page)


def group_snapshot(sim: Sim, ask: Ask) -> Answer:
    return ok({"group_snapshot": _group_snapshot(sim, ask.ids["id"])})


def _group_snapshot(sim: Sim, snapshot_id: str) -> Row:
    row = sim.state.group_snapshots.get(snapshot_id)
    if row is None:
        raise fault(404, f"GroupSnapshot {snapshot_id} could not be found.")
    return row


def create_group_snapshot(sim: Sim, ask: Ask) -> Answer:
    """All volumes of the group at one moment; its snapshots have its name (cinder/group/api.py)."""
    wanted = required(ask.body, "group_snapshot")
    row_of_group = _group(sim, str(wanted["group_id"]))
    members = [v for v in sim.state.volumes.values() if v.group_id == row_of_group["id"]]
    if not members:
        raise fault(400, f"Invalid group: Group {row_of_group['id']} is empty.")
    quotas.refuse_cinder(sim, ask, "snapshots", snapshots=len(members))
    row: Row = {
        "id": new_id(),
        "group_id": row_of_group["id"],
        "group_type_id": row_of_group["group_type"],
        "name": wanted.get("name"),
        "description": wanted.get("description"),
        "status": "creating",
        "created_at": cinder_time(sim.now),
        "project_id": ask.account.project_id,
    }
    sim.state.group_snapshots[row["id"]] = row
    for volume in members:
        guest.flush_volume(sim, volume)
        made = make_snapshot(sim, volume, str(row["name"]), row["description"])
        made.group_snapshot_id = row["id"]
    sim.after(sim.settings.snapshot, lambda: row.update(status="available"))
    return ok({"group_snapshot": {"id": row["id"], "name": row["name"]}}, 202)


def delete_group_snapshot(sim: Sim, ask: Ask) -> Answer:
    row = _group_snapshot(sim, ask.ids["id"])
    if row["status"] not in ("available", "error"):
        raise fault(400, "Invalid group snapshot: GroupSnapshot status must be available or error")
    row["status"] = "deleting"

    def gone() -> None:
        sim.state.group_snapshots.pop(row["id"], None)
        for snapshot in [s for s in sim.state.snapshots.values() if s.group_snapshot_id == row["id"]]:
            del sim.state.snapshots[snapshot.id]

    sim.after(sim.settings.delete_snapshot, gone)
    return Answer(202)


ROUTES = (
    Route("GET", "/types", types),
    Route("GET", "/types/default", default_type),
    Route("POST", "/types", create_type),
    Route("GET", "/types/{id}", show_type),
    Route("PUT", "/types/{id}", update_type),
    Route("POST", "/types/{id}/extra_specs", add_type_specs),
    Route("DELETE", "/types/{id}/extra_specs/{key}", delete_type_spec),
    Route("DELETE", "/types/{id}", delete_type),
    Route("POST", "/types/{id}/action", type_action),
    Route("GET", "/types/{id}/encryption", show_encryption),
    Route("POST", "/types/{id}/encryption", encrypt_type),
    Route("GET", "/os-services", services),
    Route("GET", "/os-availability-zone", zones),
    Route("GET", "/messages", messages),
    Route("GET", "/group_types", group_types),
    Route("POST", "/group_types", create_group_type),
    Route("GET", "/group_types/{id}", group_type),
    Route("DELETE", "/group_types/{id}", delete_group_type),
    Route("GET", "/groups", groups),
    Route("GET", "/groups/detail", groups),
    Route("POST", "/groups", create_group),
    Route("GET", "/groups/{id}", group),
    Route("PUT", "/groups/{id}", update_group),
    Route("POST", "/groups/{id}/action", group_action),
    Route("GET", "/group_snapshots", group_snapshots),
    Route("GET", "/group_snapshots/detail", group_snapshots),
    Route("POST", "/group_snapshots", create_group_snapshot),
    Route("GET", "/group_snapshots/{id}", group_snapshot),
    Route("DELETE", "/group_snapshots/{id}", delete_group_snapshot),
)
