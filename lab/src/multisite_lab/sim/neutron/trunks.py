"""Neutron: trunks, a port that carries the traffic of others by VLAN (neutron/services/trunk: plugin.py, rules.py).

As with the Open vSwitch driver, which makes and deletes no trunk of a parent port that is bound to a host, and tells
who owns the subports, and where they are, only when the parent comes up (drivers/openvswitch/driver.py,
``_update_subport_binding``).  They have no device, and keep their owner when the trunk is gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron import policy
from multisite_lab.sim.neutron.networks import common, invalid, listed, wanted
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, neutron_error, ok

EXTENSION, DETAILS = "trunk", "trunk-details"
OWNER = "trunk:subport"
_VLANS = range(1, 4095)


def _refuse_unloaded(sim: Sim) -> None:
    if EXTENSION in sim.settings.lacks:
        raise neutron_error(404, "HTTPNotFound", "The resource could not be found.")


def _in_use(error: str, message: str) -> ApiError:
    return neutron_error(409, error, message)


def find(sim: Sim, ask: Ask) -> Row:
    _refuse_unloaded(sim)
    row = sim.state.trunks.get(ask.ids["id"])
    if row is None or not policy.visible(ask, row):
        raise neutron_error(404, "TrunkNotFound", f"Trunk {ask.ids['id']} could not be found.")
    return row


def trunks(sim: Sim, ask: Ask) -> Answer:
    _refuse_unloaded(sim)
    return listed(sim, ask, "trunks", sim.state.trunks.values())


def trunk(sim: Sim, ask: Ask) -> Answer:
    return ok({"trunk": find(sim, ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    _refuse_unloaded(sim)
    fields = wanted(ask, "trunk")
    parent = _port(sim, ask, str(fields.get("port_id")))
    _refuse_taken(sim, parent)
    if parent["binding:host_id"]:
        raise _not_eligible(parent["id"])
    inside = [_subport(sim, ask, parent, one) for one in _asked(fields.get("sub_ports") or [])]
    quotas.refuse_neutron(sim, ask, "trunk")
    row = {
        **common(sim, ask, fields),
        "admin_state_up": bool(fields.get("admin_state_up", True)),
        "status": "DOWN",
        "port_id": parent["id"],
        "sub_ports": inside,
    }
    sim.state.trunks[row["id"]] = row
    return ok({"trunk": row}, 201)


def _port(sim: Sim, ask: Ask, port_id: str) -> Row:
    row = sim.state.ports.get(port_id)
    if row is None or not policy.visible_within(sim, ask, row):
        raise neutron_error(404, "PortNotFound", f"Port {port_id} could not be found.")
    return row


def _refuse_taken(sim: Sim, port: Row) -> None:
    """A port is a subport once, or the parent of one trunk."""
    if subport_of(sim, port["id"]) is not None:
        raise _in_use("TrunkPortInUse", f"Port {port['id']} is in use by another trunk.")
    if parent_of(sim, port["id"]) is not None:
        raise _not_eligible(port["id"])


def _not_eligible(port_id: str) -> ApiError:
    said = f"Port {port_id} is currently in use and is not eligible for use as a parent port."
    return _in_use("ParentPortInUse", said)


def _asked(subports: Iterable[Row]) -> list[Row]:
    """As asked for, each with a port and a VLAN of its own (neutron_lib/api/validators)."""
    rows = list(subports)
    for name in ("port_id", "segmentation_id"):
        seen = [row.get(name) for row in rows]
        if any(value is None for value in seen):
            said = "missing segmentation information. Must specify both segmentation_id and segmentation_type"
            raise invalid(f"Invalid subport details '{rows[seen.index(None)]}': {said}")
        for row in rows:
            if seen.count(row[name]) > 1:
                said = f"Segmentation ID '{row['segmentation_id']}' for '{row['port_id']}' is not unique"
                raise invalid(said if name != "port_id" else f"Non unique UUID for subport: '{row[name]}'")
    return rows


def _subport(sim: Sim, ask: Ask, parent: Row, asked: Row) -> Row:
    port = _port(sim, ask, str(asked["port_id"]))
    mtu, most = (sim.state.networks[p["network_id"]]["mtu"] for p in (port, parent))
    if port is parent:
        raise _not_eligible(port["id"])
    if mtu > most:
        said = f"MTU {mtu} of subport {port['id']} cannot be greater than MTU {most} of trunk {parent['id']}."
        raise _in_use("SubPortMtuGreaterThanTrunkPortMtu", said)
    kind, number = asked.get("segmentation_type"), int(asked["segmentation_id"])
    if kind != "vlan":
        raise invalid(f"Unknown segmentation_type '{kind}'")
    if number not in _VLANS:
        raise invalid(f"Segmentation ID '{number}' is not in range")
    _refuse_taken(sim, port)
    if port["device_id"]:
        said = (
            f"Unable to complete operation on port {port['id']} for network {port['network_id']}. "
            f"Port already has an attached device {port['device_id']}."
        )
        raise _in_use("PortInUse", said)
    return {"port_id": port["id"], "segmentation_type": kind, "segmentation_id": number}


def bind_subports(sim: Sim, parent: Row) -> None:
    """What becomes of the subports of a port that came up, if it has any."""
    if (row := parent_of(sim, parent["id"])) is None:
        return
    for one in row["sub_ports"]:
        if (port := sim.state.ports.get(one["port_id"])) is not None:
            port |= {"device_owner": OWNER, "binding:host_id": parent["binding:host_id"]}


def update(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask)
    policy.refuse_change(ask, "trunk", row)
    for name, value in wanted(ask, "trunk").items():
        if name not in ("name", "description", "admin_state_up"):
            raise neutron_error(400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")
        row[name] = value
    row["revision_number"] += 1
    return ok({"trunk": row})


def _refuse_disabled(row: Row) -> None:
    if not row["admin_state_up"]:
        raise _in_use("TrunkDisabled", f"Trunk {row['id']} is currently disabled.")


def delete(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask)
    policy.refuse_change(ask, "trunk", row, "delete")
    _refuse_disabled(row)
    if sim.state.ports[row["port_id"]]["binding:host_id"]:
        raise _in_use("TrunkInUse", f"Trunk {row['id']} is currently in use.")
    del sim.state.trunks[row["id"]]
    return Answer(204)


def add_subports(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask)
    policy.refuse_change(ask, "trunk", row, "add_subports")
    asked = _asked((ask.body or {}).get("sub_ports") or [])
    _refuse_disabled(row)
    known = {(one["segmentation_type"], one["segmentation_id"]) for one in row["sub_ports"]}
    parent = sim.state.ports[row["port_id"]]
    new = [_subport(sim, ask, parent, one) for one in asked]
    for one in new:
        if (one["segmentation_type"], one["segmentation_id"]) in known:
            said = (
                f"segmentation_type {one['segmentation_type']} and segmentation_id {one['segmentation_id']}"
            )
            raise _in_use("DuplicateSubPort", f"{said} already in use on trunk {row['id']}.")
    row["sub_ports"] = [*row["sub_ports"], *new]
    row["revision_number"] += 1
    if parent["binding:host_id"]:
        sim.after(0.0, lambda: bind_subports(sim, parent))
    return ok(row)


def subports(sim: Sim, ask: Ask) -> Answer:
    return ok({"sub_ports": find(sim, ask)["sub_ports"]})


def subport_of(sim: Sim, port_id: str) -> Row | None:
    """The trunk that has it as a subport."""
    rows = sim.state.trunks.values()
    return next((row for row in rows if port_id in [one["port_id"] for one in row["sub_ports"]]), None)


def parent_of(sim: Sim, port_id: str) -> Row | None:
    """The trunk it is the parent of."""
    return next((row for row in sim.state.trunks.values() if row["port_id"] == port_id), None)


def refuse_deletion(sim: Sim, port_id: str) -> None:
    """409 for a port that a trunk has (rules.enforce_port_deletion_rules)."""
    if (row := subport_of(sim, port_id)) is not None:
        said = f"Port {port_id} is currently a subport for trunk {row['id']}."
        raise _in_use("PortInUseAsSubPort", said)
    if (row := parent_of(sim, port_id)) is not None:
        said = f"Port {port_id} is currently a parent port for trunk {row['id']}."
        raise _in_use("PortInUseAsTrunkParent", said)


def shown(sim: Sim, port: Row) -> Row:
    """A port as it is shown: a parent with its trunk (extension trunk-details)."""
    row = parent_of(sim, port["id"])
    if row is None or EXTENSION in sim.settings.lacks:
        return port
    inside = [
        one | {"mac_address": sim.state.ports[one["port_id"]]["mac_address"]} for one in row["sub_ports"]
    ]
    return port | {"trunk_details": {"trunk_id": row["id"], "sub_ports": inside}}


ROUTES = (
    Route("GET", "/trunks", trunks),
    Route("POST", "/trunks", create),
    Route("GET", "/trunks/{id}", trunk),
    Route("PUT", "/trunks/{id}", update),
    Route("DELETE", "/trunks/{id}", delete),
    Route("PUT", "/trunks/{id}/add_subports", add_subports),
    Route("GET", "/trunks/{id}/get_subports", subports),
)
