"""Trunks of an application: a member's port that is the parent of one, and the ports whose traffic it carries.

A subport is a port without a device, often in a network that no member has a port in (Networking API v2, trunks).  It
does not name its trunk; its owner is "trunk:subport" once its parent came up (neutron/services/trunk/drivers).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.ledger import routing
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.resources import Kind, tokens
from multisite.domain.trunks import SubportRecord, TrunkRecord

Row = dict[str, Any]
SUBPORT = "trunk:subport"


@dataclass(frozen=True)
class Trunks:
    """``subports``: the ports as Neutron shows them; ``told``: ids of all that the members' trunks carry, those that
    are not ours or in trunks not shown to us, too."""

    records: tuple[TrunkRecord, ...] = ()
    subports: tuple[Row, ...] = ()
    told: frozenset[str] = frozenset()


def read(site: CloudSite, project_id: str, members: Iterable[Row], notes: Notes) -> Trunks:
    """Trunks whose parents are among the ``members`` (their ports), with the subports that are the project's own.

    Nothing is asked when there are none.  Raises what ``call`` raises.
    """
    parents = {row["trunk_details"]["trunk_id"]: row for row in members if row.get("trunk_details")}
    if not parents:
        return Trunks()
    rows = _by_id(site, "trunk", parents)
    wanted = [one["port_id"] for row in rows.values() for one in row["sub_ports"]]
    known = _by_id(site, "port", wanted) if wanted else {}
    ports = {id: row for id, row in known.items() if row["project_id"] == project_id}
    records = []
    for trunk_id, parent in parents.items():
        if (row := rows.get(trunk_id)) is None:
            notes.add(
                f"trunk {trunk_id} of port {_shown(parent)} is not shown to us: neither it nor its subports are "
                "carried over"
            )
            continue
        _tell(row, project_id, ports, notes)
        records.append(_record(row, ports))
    used = {one.port_id for record in records for one in record.subports}
    subports = tuple(row for id, row in ports.items() if id in used)
    details = (
        one["port_id"] for row in parents.values() for one in row["trunk_details"].get("sub_ports", ())
    )
    return Trunks(tuple(records), subports, frozenset([*wanted, *details]))


def tell_of_others(rows: Iterable[Row], notes: Notes) -> None:
    """Say which of these ports, which no member's trunk carries, are subports of another one."""
    names = sorted(_shown(row) for row in rows if row.get("device_owner") == SUBPORT)
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        notes.add(
            f"ports of the application's networks are subports of a trunk whose parent is no member's port: "
            f"{', '.join(names[:5])}{more} are not carried over"
        )


def _by_id(site: CloudSite, kind: Kind, ids: Iterable[str]) -> dict[str, Row]:
    """Those we are shown.  What a list leaves out is asked for: it may lose rows and not say so."""
    wanted = list(ids)
    found = {row["id"]: row for row in resources.list_all(site, kind, id=wanted)}
    return {id: row for id in wanted if (row := found.get(id) or resources.read_or_none(site, kind, id))}


def _tell(row: Row, project_id: str, ports: Collection[str], notes: Notes) -> None:
    shown = row["name"] or row["id"]
    notes.compare(routing.TRUNK, row)
    if row["project_id"] != project_id:
        notes.add(
            f"trunk {shown} is of another project, {row['project_id']}: a recovery makes it for the application's own"
        )
    for one in row["sub_ports"]:
        if one["port_id"] not in ports:
            notes.add(
                f"trunk {shown}: port {one['port_id']} ({one['segmentation_type']} {one['segmentation_id']}) is of "
                "another project or not shown to us: it is not carried over"
            )


def _record(row: Row, ports: Collection[str]) -> TrunkRecord:
    return TrunkRecord(
        id=row["id"],
        name=row["name"],
        port_id=row["port_id"],
        subports=tuple(_subports(row, ports)),
        description=row.get("description") or "",
        enabled=row.get("admin_state_up", True),
        tags=tuple(tag for tag in row.get("tags", ()) if not tokens.is_token(tag)),
    )


def _subports(row: Row, ports: Collection[str]) -> Iterator[SubportRecord]:
    """In the order of their segmentation: Neutron keeps none."""
    for one in sorted(row["sub_ports"], key=lambda s: (s["segmentation_type"], s["segmentation_id"])):
        if one["port_id"] in ports:
            yield SubportRecord(one["port_id"], one["segmentation_type"], one["segmentation_id"])


def _shown(row: Row) -> str:
    return str(row["name"] or row["id"])
