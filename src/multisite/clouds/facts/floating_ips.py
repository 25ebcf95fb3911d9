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
from multisite.clouds.ledger import routing as ledger
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.resources import tokens
from multisite.domain.moving_address import read_mark
from multisite.domain.routing import FloatingIpRecord

Row = dict[str, Any]
_RECOVERED = ":floating-ip-"
"""In the token of one that a recovery made: the name of its step."""


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
    return _forwarded(row) + ([row["port_id"]] if row.get("port_id") else [])


def records(
    site: CloudSite, rows: Iterable[Row], servers: Iterable[Row], ports: Iterable[Row], notes: Notes
) -> tuple[FloatingIpRecord, ...]:
    """Those that lead to these ports.  Of port forwardings, and of what Multisite itself keeps, it is told.

    A server (as Nova shows it) may have one of another project, which is not among ``rows``.
    """
    rows = list(rows)
    names = {port["id"]: port["name"] or port["id"] for port in ports}
    carried = []
    for row in sorted(rows, key=lambda row: str(row["floating_ip_address"])):
        for port in dict.fromkeys(inside for inside in _forwarded(row) if inside in names):
            notes.add(
                f"floating IP {row['floating_ip_address']} leads to port {names[port]}: its port forwardings are not "
                "carried over: make them at the target: openstack floating ip port forwarding create"
            )
        if row.get("port_id") in names:
            if _multisites_own(row):
                notes.add(
                    f"floating IP {row['floating_ip_address']} leads to port {names[row['port_id']]}: it is of a "
                    "moving address or a path that Multisite keeps: it is not carried over: move the address, or make "
                    "another path: openstack multisite address move, path create"
                )
            else:
                notes.compare(ledger.FLOATING_IP, row | {"port_forwardings": []}, row["floating_ip_address"])
                carried.append(row)
    _tell_of_others(rows, servers, notes)
    return _records(site, carried)


def _forwarded(row: Row) -> list[str]:
    return [forwarding["internal_port_id"] for forwarding in row["port_forwardings"]]


def _multisites_own(row: Row) -> bool:
    """Not one that a recovery made: that is the application's."""
    found = [tag for tag in row.get("tags", ()) if tokens.is_token(tag)]
    return read_mark(row.get("description") or "") is not None or any(_RECOVERED not in tag for tag in found)


def _tell_of_others(rows: Iterable[Row], servers: Iterable[Row], notes: Notes) -> None:
    known = {row["floating_ip_address"] for row in rows}
    for server in servers:
        for address in (address for network in server["addresses"].values() for address in network):
            if address.get("OS-EXT-IPS:type") == "floating" and address["addr"] not in known:
                notes.add(
                    f"server {server['name']} has floating IP {address['addr']}: it is not carried over"
                )


def _records(site: CloudSite, rows: list[Row]) -> tuple[FloatingIpRecord, ...]:
    if not rows:
        return ()
    ids = sorted({row["floating_network_id"] for row in rows})
    names = {row["id"]: row["name"] for row in resources.list_all(site, "network", id=ids)}
    return tuple(
        FloatingIpRecord(
            id=row["id"],
            address=row["floating_ip_address"],
            network_id=row["floating_network_id"],
            network_name=names.get(row["floating_network_id"], ""),
            port_id=row["port_id"],
            fixed_address=row["fixed_ip_address"],
            description=row.get("description") or "",
            tags=tuple(tag for tag in row.get("tags", ()) if not tokens.is_token(tag)),
            dns_name=row.get("dns_name") or "",
            dns_domain=row.get("dns_domain") or "",
        )
        for row in rows
    )
