"""Ports without a device that belong to an application: they keep a virtual IP of its members (VRRP, keepalived).

Neutron lets a member answer at an address that is not its port's when ``allowed_address_pairs`` names it, or when the
port has no port security; a floating IP may lead to such a port, too.  What else has no device is told of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.facts import trunks
from multisite.clouds.ledger.notes import Notes
from multisite.domain.address_pairs import Pair, covers, single_addresses

Row = dict[str, Any]


def ports(
    site: CloudSite,
    project_id: str,
    members: list[Row],
    in_use: Collection[str],
    notes: Notes,
    of_trunks: Collection[str] = (),
) -> list[Row]:
    """Those of the project on the networks of its ``members`` (their ports); ``in_use``: ids that something leads to.

    ``of_trunks``: ids of the ports that the members' trunks carry, whether they can be carried over or were told of; of
    other trunks' ports is told.  Raises what ``call`` raises.
    """
    networks = list(dict.fromkeys(row["network_id"] for row in members))
    if not networks:
        return []
    own = {row["id"] for row in members} | set(of_trunks)
    found = []
    listed = resources.list_all(site, "port", network_id=networks, project_id=project_id)
    trunks.tell_of_others((row for row in listed if row["id"] not in own), notes)
    for row in listed:
        beside = [member for member in members if member["network_id"] == row["network_id"]]
        if row["id"] in own or row.get("device_owner", "").startswith("network:"):
            continue  # what is of DHCP and of routers the target has itself
        if row["device_id"] or row.get("device_owner"):
            _tell_if_named(row, beside, notes)
        elif row["id"] in in_use or _unchecked(beside) or _named(row, beside):
            found.append(row)
        else:
            notes.add(
                f"{_shown(row)} has no device, and no member may use its address: it is not carried over"
            )
    return found


def _tell_if_named(row: Row, members: Iterable[Row], notes: Notes) -> None:
    if named := set(_addresses(row)) & set(single_addresses(_pairs(members))):
        notes.add(
            f"{_shown(row)} is of {row.get('device_owner') or 'device'} {row['device_id']}: it is not carried over, "
            f"although members may use its address {', '.join(sorted(named))}"
        )


def _unchecked(members: Iterable[Row]) -> bool:
    """Whether one of them may use any address."""
    return any(not row.get("port_security_enabled", True) for row in members)


def _named(row: Row, members: Iterable[Row]) -> bool:
    pairs = _pairs(members)
    return any(covers(pairs, address) for address in _addresses(row))


def _pairs(members: Iterable[Row]) -> list[Pair]:
    return [pair for row in members for pair in row.get("allowed_address_pairs", ())]


def _addresses(row: Row) -> list[str]:
    return [ip["ip_address"] for ip in row["fixed_ips"]]


def _shown(row: Row) -> str:
    return f"port {row['name'] or row['id']} ({', '.join(_addresses(row)) or 'no address'})"
