"""Floating IPs of a project with their port forwardings, and the ports these lead to (Networking API v2).

A list of floating IPs names of a port forwarding the address it leads to, not the port (extension
``expose-port-forwarding-in-fip``): those that have some are asked one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from multisite.clouds import resources
from multisite.clouds.call import read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.ledger.notes import Notes

Row = dict[str, Any]


def read(site: CloudSite, project_id: str) -> list[Row]:
    """All of the project, ``port_forwardings`` as their own list shows them.  Raises what ``call`` raises."""
    rows = resources.list_all(site, "floating_ip", project_id=project_id)
    return [row | {"port_forwardings": _forwardings(site, row)} for row in rows]


def _forwardings(site: CloudSite, row: Row) -> list[Row]:
    if not row.get("port_forwardings"):
        return []
    path = f"/floatingips/{row['id']}/port_forwardings"
    what = f"list port forwardings of floating IP {row['floating_ip_address']}"
    return read_all(site, what, lambda: site.network, path, "port_forwardings")


def ports_in_use(rows: Iterable[Row]) -> set[str]:
    """Ids of the ports that any of them leads to."""
    return {port for row in rows for port in _ports(row)}


def _ports(row: Row) -> list[str]:
    inside = [forwarding["internal_port_id"] for forwarding in row["port_forwardings"]]
    return inside + ([row["port_id"]] if row.get("port_id") else [])


def tell(rows: Iterable[Row], servers: Iterable[Row], ports: Iterable[Row], notes: Notes) -> None:
    """Say which of them lead to these ports: they are not carried.

    A server (as Nova shows it) may have one of another project, which is not among ``rows``.
    """
    names = {port["id"]: port["name"] or port["id"] for port in ports}
    known = set()
    for row in rows:
        known.add(row["floating_ip_address"])
        for port in dict.fromkeys(_ports(row)):
            if port in names:
                notes.add(
                    f"floating IP {row['floating_ip_address']} leads to port {names[port]}: it is not carried over: "
                    "make one at the target: openstack floating ip create --port"
                )
    for server in servers:
        for address in (address for network in server["addresses"].values() for address in network):
            if address.get("OS-EXT-IPS:type") == "floating" and address["addr"] not in known:
                notes.add(
                    f"server {server['name']} has floating IP {address['addr']}: it is not carried over"
                )
