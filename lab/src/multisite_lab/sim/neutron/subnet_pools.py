"""Neutron: subnet pools and the subnets that come from them (neutron/db/db_base_plugin_v2.py, ipam/subnet_alloc.py)."""

from __future__ import annotations

import ipaddress
from typing import Any

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron.ipam import new_row
from multisite_lab.sim.wire import Answer, Ask, Route, neutron_error, ok


def pools(sim: Sim, ask: Ask) -> Answer:
    return ok({"subnetpools": [row for row in sim.state.subnetpools.values() if _visible(ask, row)]})


def pool(sim: Sim, ask: Ask) -> Answer:
    return ok({"subnetpool": find(sim, ask, ask.ids["id"])})


def find(sim: Sim, ask: Ask, pool_id: str) -> Row:
    row = sim.state.subnetpools.get(pool_id)
    if row is None or not _visible(ask, row):
        raise neutron_error(404, "SubnetPoolNotFound", f"Subnet pool {pool_id} could not be found.")
    return row


def _visible(ask: Ask, row: Row) -> bool:
    return ask.account.is_admin or row["project_id"] == ask.account.project_id or bool(row["shared"])


def create(sim: Sim, ask: Ask) -> Answer:
    """One default per IP version, and only administrators make it (``create_subnetpool:is_default``)."""
    fields = ask.body["subnetpool"]
    default = bool(fields.get("is_default", False))
    if default and not ask.account.is_admin:
        said = "rule:create_subnetpool:is_default is disallowed by policy"
        raise neutron_error(403, "PolicyNotAuthorized", said)
    version = ipaddress.ip_network(fields["prefixes"][0]).version
    if default and any(
        r["is_default"] and r["ip_version"] == version for r in sim.state.subnetpools.values()
    ):
        said = "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
        raise neutron_error(400, "InvalidInput", f"Invalid input for operation: {said}.")
    row = {
        **new_row(sim, ask.account.project_id, fields),
        "prefixes": list(fields["prefixes"]),
        "default_prefixlen": int(fields.get("default_prefixlen") or 8),
        "ip_version": version,
        "is_default": default,
        "shared": bool(fields.get("shared", False)),
    }
    sim.state.subnetpools[row["id"]] = row
    return ok({"subnetpool": row}, 201)


def delete(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask, ask.ids["id"])
    if any(s.get("subnetpool_id") == row["id"] for s in sim.state.subnets.values()):
        said = "Unable to delete subnet pool: Subnet pool has existing allocations."
        raise neutron_error(400, "SubnetPoolDeleteError", said)
    del sim.state.subnetpools[row["id"]]
    return Answer(204)


def block_for(sim: Sim, ask: Ask, pool_id: str) -> Any:
    """The first block that is free.  500 when there is none: the exception has no status of its own there."""
    row = find(sim, ask, pool_id)
    used = [
        ipaddress.ip_network(s["cidr"])
        for s in sim.state.subnets.values()
        if s.get("subnetpool_id") == row["id"]
    ]
    for prefix in row["prefixes"]:
        for block in ipaddress.ip_network(prefix).subnets(new_prefix=row["default_prefixlen"]):
            if not any(block.overlaps(other) for other in used):
                return block
    said = f"Insufficient prefix space to allocate subnet size /{row['default_prefixlen']}"
    raise neutron_error(500, "SubnetAllocationError", f"Failed to allocate subnet: {said}.")


def refuse_taken(sim: Sim, ask: Ask, pool_id: str, block: Any) -> None:
    """A subnet with a CIDR of its own must be free in the pool (neutron/ipam/subnet_alloc.py); 500 as above."""
    row = find(sim, ask, pool_id)
    inside = any(block.subnet_of(ipaddress.ip_network(prefix)) for prefix in row["prefixes"])
    others = [s for s in sim.state.subnets.values() if s.get("subnetpool_id") == row["id"]]
    if not inside or any(block.overlaps(ipaddress.ip_network(s["cidr"])) for s in others):
        said = "Cannot allocate requested subnet from the available set of prefixes"
        raise neutron_error(500, "SubnetAllocationError", f"Failed to allocate subnet: {said}.")


ROUTES = (
    Route("GET", "/subnetpools", pools),
    Route("POST", "/subnetpools", create),
    Route("GET", "/subnetpools/{id}", pool),
    Route("DELETE", "/subnetpools/{id}", delete),
)
