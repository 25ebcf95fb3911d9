"""Designate: zones and record sets (DNS API reference v2; designate/api/v2/controllers/zones/recordsets.py).

A zone is its project's alone; a change is PENDING until the name servers have it, and then ACTIVE.
"""

from __future__ import annotations

from typing import Any

from multisite_lab.sim.clock import nova_time
from multisite_lab.sim.model import Account, Row, Sim, new_id
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, ok

SERVERS_SECONDS = 0.2
"""So long the name servers take to have a change."""


def make_zone(sim: Sim, name: str, project_id: str, ttl: int = 3600) -> Row:
    """As its owner has made it; ``name`` ends with a dot."""
    row: Row = {
        "id": new_id(), "name": name, "project_id": project_id, "ttl": ttl, "status": "ACTIVE", "action": "NONE",
        "type": "PRIMARY", "email": f"admin@{name.rstrip('.')}", "serial": 1,
    }  # fmt: skip
    sim.state.zones[row["id"]] = row
    return row


def make_recordset(sim: Sim, zone: Row, fields: Row) -> Row:
    row: Row = {
        "id": new_id(), "zone_id": zone["id"], "zone_name": zone["name"], "project_id": zone["project_id"],
        "name": fields["name"], "type": fields["type"], "records": list(fields["records"]), "ttl": fields.get("ttl"),
        "description": fields.get("description"), "status": "PENDING", "action": "CREATE", "version": 1,
        "created_at": nova_time(sim.now), "updated_at": None,
    }  # fmt: skip
    sim.state.recordsets[row["id"]] = row
    _settle_later(sim, row["id"])
    return row


def _settle_later(sim: Sim, recordset_id: str) -> None:
    def settle() -> None:
        row = sim.state.recordsets.get(recordset_id)
        if row is not None and row["action"] == "DELETE":
            del sim.state.recordsets[recordset_id]
        elif row is not None:
            row |= {"status": "ACTIVE", "action": "NONE"}

    sim.after(SERVERS_SECONDS, settle)


def zones(sim: Sim, ask: Ask) -> Answer:
    rows = [row for row in sim.state.zones.values() if _owns(ask.account, row)]
    wanted = ask.one("name")
    return _listed(ask, "zones", [row for row in rows if wanted in (None, row["name"])])


def recordsets(sim: Sim, ask: Ask) -> Answer:
    zone = _zone(sim, ask)
    rows = [row for row in sim.state.recordsets.values() if row["zone_id"] == zone["id"]]
    for field in ("name", "type"):
        rows = [row for row in rows if ask.one(field) in (None, row[field])]
    return _listed(ask, "recordsets", rows)


def create(sim: Sim, ask: Ask) -> Answer:
    zone, fields = _zone(sim, ask), _fields(ask)
    if not fields["name"].endswith(f".{zone['name']}") and fields["name"] != zone["name"]:
        raise _error(400, "invalid_recordset_location", "RecordSet is not contained within it's parent zone")
    same = [
        r for r in sim.state.recordsets.values() if (r["zone_id"], r["name"]) == (zone["id"], fields["name"])
    ]
    if any(row["type"] == fields["type"] for row in same):
        raise _error(409, "duplicate_recordset", "Duplicate RecordSet")
    if same and "CNAME" in {fields["type"], *(row["type"] for row in same)}:
        raise _error(
            400, "invalid_recordset_location", "CNAME recordsets may not share a name with any other records"
        )
    return ok(make_recordset(sim, zone, fields), 202)


def update(sim: Sim, ask: Ask) -> Answer:
    """Name and type are as they were."""
    row = _recordset(sim, ask)
    if set(ask.body) - {"records", "ttl", "description"}:
        raise _error(400, "invalid_object", "Provided object does not match schema")
    row |= {**ask.body, "status": "PENDING", "action": "UPDATE", "updated_at": nova_time(sim.now)}
    row["version"] += 1
    _settle_later(sim, row["id"])
    return ok(row, 202)


def delete(sim: Sim, ask: Ask) -> Answer:
    row = _recordset(sim, ask)
    row |= {"status": "PENDING", "action": "DELETE"}
    _settle_later(sim, row["id"])
    return ok(row, 202)


def _fields(ask: Ask) -> Row:
    fields: Any = ask.body
    if not isinstance(fields, dict) or not fields.get("records") or not {"name", "type"} <= set(fields):
        raise _error(400, "invalid_object", "Provided object does not match schema")
    return fields


def _owns(account: Account, row: Row) -> bool:
    """Administrators, too, need a header (X-Auth-All-Projects) to see those of others."""
    return bool(row["project_id"] == account.project_id)


def _zone(sim: Sim, ask: Ask) -> Row:
    row = sim.state.zones.get(ask.ids["zone"])
    if row is None or not _owns(ask.account, row):
        raise _error(404, "zone_not_found", "Could not find Zone")
    return row


def _recordset(sim: Sim, ask: Ask) -> Row:
    zone, row = _zone(sim, ask), sim.state.recordsets.get(ask.ids["id"])
    if row is None or row["zone_id"] != zone["id"]:
        raise _error(404, "recordset_not_found", "Could not find RecordSet")
    return row


def _listed(ask: Ask, key: str, rows: list[Row]) -> Answer:
    links = {"self": f"{ask.base}{ask.path}"}
    return ok({key: rows, "links": links, "metadata": {"total_count": len(rows)}})


def _error(status: int, kind: str, message: str) -> ApiError:
    return ApiError(status, {"code": status, "type": kind, "message": message, "request_id": "req-dns"})


ROUTES = (
    Route("GET", "/zones", zones),
    Route("GET", "/zones/{zone}/recordsets", recordsets),
    Route("POST", "/zones/{zone}/recordsets", create),
    Route("PUT", "/zones/{zone}/recordsets/{id}", update),
    Route("DELETE", "/zones/{zone}/recordsets/{id}", delete),
)
