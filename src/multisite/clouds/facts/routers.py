"""Routers that lead out of an application's networks: told of, they are no part of a restore point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.ledger.notes import Notes

Row = dict[str, Any]
INTERFACES = [
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
]
"""Owners of a router's ports in a network that is not external (neutron_lib/constants.py)."""


def tell(site: CloudSite, networks: Iterable[Row], notes: Notes) -> None:
    """Say which routers have an interface in these networks.  Raises what ``call`` raises."""
    names = {row["id"]: row["name"] or row["id"] for row in networks}
    if not names:
        return
    inside = resources.list_all(site, "port", network_id=list(names), device_owner=INTERFACES)
    ports = [row for row in inside if row.get("device_owner") in INTERFACES]
    ids = sorted({port["device_id"] for port in ports})
    known = {row["id"]: row["name"] for row in resources.list_all(site, "router", id=ids)} if ids else {}
    for router in ids:
        of = dict.fromkeys(names[port["network_id"]] for port in ports if port["device_id"] == router)
        notes.add(
            f"router {known.get(router) or router} of network {', '.join(of)} is not carried over: make it at the "
            "target: openstack router create, openstack router add subnet, openstack router add route"
        )
