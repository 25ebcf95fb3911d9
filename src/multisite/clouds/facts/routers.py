"""Routers that have an interface in an application's networks: the project's are carried, of others it is told.

A router of a plane is Multisite's own work, and the plane's router at the target is made with the plane.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.ledger import routing as ledger
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.resources import tokens
from multisite.domain.routing import RouterGateway, RouterInterface, RouterRecord

Row = dict[str, Any]
INTERFACES = [
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
]
"""Owners of a router's ports in a network that is not external (neutron_lib/constants.py)."""
NEUTRONS_MACS = "fa:16:"
"""What MAC addresses that Neutron chooses begin with: its default is ``base_mac = fa:16:3e:00:00:00``, and operators of
several sites change the third octet.  Whoever chose another one may rely on it.
"""
_OF_A_PLANE = ":router:"
"""In the token of a plane's router (``networks.planes.orders.token_of``); a recovery's steps are named otherwise."""


def read(site: CloudSite, project_id: str, networks: Iterable[Row], notes: Notes) -> tuple[RouterRecord, ...]:
    """Those with an interface in these networks.  Raises what ``call`` raises."""
    names = {row["id"]: row["name"] or row["id"] for row in networks}
    inside = _interfaces(site, network_id=list(names)) if names else []
    ids = sorted({port["device_id"] for port in inside})
    if not ids:
        return ()
    known = {row["id"]: row for row in resources.list_all(site, "router", id=ids)}
    _complain_if_missing(site, project_id, inside, known)
    carried = []
    for id in ids:
        within = dict.fromkeys(names[port["network_id"]] for port in inside if port["device_id"] == id)
        if why := _not_ours(known.get(id), project_id):
            name = known[id]["name"] if id in known else ""
            notes.add(f"router {name or id} of network {', '.join(within)} {why}")
        else:
            carried.append(known[id])
    in_order = sorted(carried, key=lambda row: (row["name"], row["id"]))
    return _records(site, in_order, inside, names, notes)


def _interfaces(site: CloudSite, **by: list[str]) -> list[Row]:
    rows = resources.list_all(site, "port", device_owner=INTERFACES, **by)
    return [row for row in rows if row.get("device_owner") in INTERFACES]


def _complain_if_missing(
    site: CloudSite, project_id: str, ports: Iterable[Row], known: Collection[str]
) -> None:
    """A router's ports are of its project: one of ours is shown to us."""
    ours = {port["device_id"] for port in ports if port.get("project_id") == project_id}
    if missing := ours - set(known):
        said = f"router {', '.join(sorted(missing))} is in use but not visible to us"
        raise NotFoundInSite(site.name, "read routers", said, site_status=404)


def _not_ours(row: Row | None, project_id: str) -> str | None:
    """Why it is not carried, in words."""
    if row is None or row.get("project_id") != project_id:
        return (
            "is of another project: it is not carried over: make one at the target: openstack router create, "
            "openstack router add subnet, openstack router add route"
        )
    if any(tokens.is_token(tag) and _OF_A_PLANE in tag for tag in row.get("tags", ())):
        return (
            "is of a plane that Multisite made: it is not carried over: map the network to the plane's one at the "
            "target, or make a router there: openstack router create"
        )
    return None


def _records(
    site: CloudSite, rows: Sequence[Row], inside: Iterable[Row], names: Mapping[str, str], notes: Notes
) -> tuple[RouterRecord, ...]:
    """``inside``: the routers' ports in the application's networks; a list may lose rows and not say so."""
    if not rows:
        return ()
    every = [*_interfaces(site, device_id=[row["id"] for row in rows]), *inside]
    ports: dict[str, list[Row]] = defaultdict(list)
    for port in {port["id"]: port for port in every}.values():
        ports[port["device_id"]].append(port)
    others = _names(site, rows, every, names)
    for row in rows:
        notes.compare(ledger.ROUTER, _comparable(row))
        _tell_what_else(row, ports[row["id"]], names, others, notes)
        _compare_interfaces(row, [p for p in ports[row["id"]] if p["network_id"] in names], notes)
    return tuple(_record(row, ports[row["id"]], names, others) for row in rows)


def _names(
    site: CloudSite, routers: Iterable[Row], ports: Iterable[Row], known: Mapping[str, str]
) -> dict[str, str]:
    """Of the networks that are not the application's: external ones, and others that hang on these routers."""
    external = (
        row["external_gateway_info"]["network_id"] for row in routers if row.get("external_gateway_info")
    )
    ids = sorted({*external, *(port["network_id"] for port in ports)} - known.keys())
    return {row["id"]: row["name"] for row in resources.list_all(site, "network", id=ids)} if ids else {}


def _tell_what_else(
    row: Row, ports: Iterable[Row], names: Mapping[str, str], others: Mapping[str, str], notes: Notes
) -> None:
    more = sorted(
        {others.get(p["network_id"]) or p["network_id"] for p in ports if p["network_id"] not in names}
    )
    if more:
        notes.add(
            f"router {row['name'] or row['id']} has interfaces in other networks, too: {', '.join(more)}: these are "
            "not carried over with this application: openstack router add subnet, once they are at the target"
        )


def _compare_interfaces(router: Row, ports: Iterable[Row], notes: Notes) -> None:
    for port in ports:
        addresses = ", ".join(ip["ip_address"] for ip in port["fixed_ips"])
        name = f"{addresses} of router {router['name'] or router['id']}"
        notes.compare(ledger.INTERFACE, port, name)
        if not port["mac_address"].startswith(NEUTRONS_MACS):
            notes.add(
                f"router interface {name}: its MAC address {port['mac_address']} is not carried: openstack port create "
                "--mac-address, and openstack router add port, before servers need it"
            )


def _comparable(row: Row) -> Row:
    """Of several gateways the first is ``external_gateway_info`` as well."""
    several = row.get("external_gateways") or []
    return row | {"external_gateways": several if len(several) > 1 else []}


def _record(
    row: Row, ports: Iterable[Row], names: Mapping[str, str], others: Mapping[str, str]
) -> RouterRecord:
    inside = [port for port in ports if port["network_id"] in names]
    interfaces = [_interface(port, ip) for port in inside for ip in port["fixed_ips"]]
    return RouterRecord(
        id=row["id"],
        name=row["name"],
        interfaces=tuple(sorted(interfaces, key=lambda i: (i.subnet_id, i.address))),
        description=row.get("description") or "",
        enabled=row.get("admin_state_up", True),
        tags=tuple(tag for tag in row.get("tags", ()) if not tokens.is_token(tag)),
        routes=tuple(dict(route) for route in row.get("routes") or ()),
        gateway=_gateway(row.get("external_gateway_info"), others),
    )


def _interface(port: Row, ip: Row) -> RouterInterface:
    return RouterInterface(
        ip["subnet_id"],
        ip["ip_address"],
        name=port.get("name") or "",
        description=_own(port.get("description")),
        tags=tuple(tag for tag in port.get("tags", ()) if not tokens.is_token(tag)),
    )


def _own(description: str | None) -> str:
    """One that a recovery has not got to has its token there."""
    return "" if tokens.is_token(description) else description or ""


def _gateway(info: Row | None, names: Mapping[str, str]) -> RouterGateway | None:
    if not info:
        return None
    network = info["network_id"]
    addresses = tuple(ip["ip_address"] for ip in info.get("external_fixed_ips") or ())
    return RouterGateway(network, names.get(network, ""), info.get("enable_snat"), addresses)
