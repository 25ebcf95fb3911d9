"""Neutron: routers, subnets attached to one and taken from it, its static routes.

Networking API v2, ``/routers`` and its ``add_router_interface``/``remove_router_interface`` (neutron/db/l3_db.py): the
first answers 400 when the router has a port in the subnet already, the second 404 when it has none.  Routes are added
and taken away one by one (``add_extraroutes``, extension ``extraroute-atomic``): those of others stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import SOURCE_NAT, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused
from multisite.clouds.facts.routers import INTERFACES
from multisite.domain.routing import RouterInterface, RouterRecord

Row = dict[str, Any]


def ensure(
    site: CloudSite,
    token: str,
    record: RouterRecord,
    name: str,
    external_id: str | None = None,
    snat: bool = True,
    *,
    fresh: bool = False,
) -> str:
    """Find or make a router like the record, without interfaces and routes; returns its id.

    ``external_id``: the network its gateway is in, None for no gateway; ``snat`` False switches source NAT off there,
    as an administrator.
    """
    fields: Row = {"name": name}
    if not record.enabled:
        fields["admin_state_up"] = False
    if external_id is not None:
        fields["external_gateway_info"] = {"network_id": external_id}
    row = resources.ensure(
        site, "router", token, fields, description=record.description, tags=record.tags, fresh=fresh
    )
    made = str(row["id"])
    if external_id is not None and not snat:
        body = {"router": {"external_gateway_info": {"network_id": external_id, "enable_snat": False}}}
        what, admin = f"switch source NAT of router {name} off", administrator(site, SOURCE_NAT)
        call(site, what, lambda: admin.network.put(f"/routers/{made}", json=body), idempotent=True)
    return made


def attach_at(
    site: CloudSite,
    token: str,
    router_id: str,
    network_id: str,
    fixed_ip: Mapping[str, str],
    *,
    fresh: bool = False,
) -> str:
    """Give the router an interface at another address than the subnet's gateway; returns the id of its port.

    The port has this token.  ``fixed_ip`` as Neutron takes it.  Raises what ``call`` raises (the address in use:
    ConflictInSite).
    """
    fields: Row = {"name": "", "network_id": network_id, "fixed_ips": [dict(fixed_ip)], "security_groups": []}
    if resources.read(site, "network", network_id).get("port_security_enabled") is not None:
        fields["port_security_enabled"] = False  # as Neutron makes routers' ports itself
    row = resources.ensure(site, "port", token, fields, fresh=fresh)
    made = str(row["id"])
    if row["device_id"] == router_id:
        return made
    what, path = f"attach port {made} to router {router_id}", f"/routers/{router_id}/add_router_interface"
    resources.look_again(
        lambda: call(site, what, lambda: site.network.put(path, json={"port_id": made})),
        lambda: attached(site, router_id, str(fixed_ip["subnet_id"])) or None,
    )
    return made


def release(site: CloudSite, router_id: str, subnet_id: str, *, late: bool = False) -> None:
    """As ``detach``; ``late`` as for ``remove``."""
    resources.twice_if_late(lambda: detach(site, router_id, subnet_id), late=late)


def release_port(
    site: CloudSite,
    token: str,
    router_id: str,
    subnet_id: str,
    known: str | None = None,
    *,
    late: bool = False,
) -> None:
    """Take away what ``attach_at`` made (``known``: its id), attached by now or not; else as ``release``."""

    def delete(port_id: str) -> None:
        detach(site, router_id, subnet_id)
        resources.delete_one(site, "port", port_id)

    resources.remove(site, "port", token, known, late=late, delete=delete)


def add_routes(site: CloudSite, router_id: str, routes: Sequence[Mapping[str, str]]) -> None:
    """Add static routes to those the router has; idempotent.  Refused when a next hop is in none of its subnets."""
    _change_routes(site, "add", router_id, routes)


def remove_routes(
    site: CloudSite, router_id: str, routes: Sequence[Mapping[str, str]], *, late: bool = False
) -> None:
    """Take these away; harmless when they, or the router, are gone.  ``late`` as for ``remove``."""

    def act() -> None:
        try:
            _change_routes(site, "remove", router_id, routes)
        except NotFoundInSite:
            return

    resources.twice_if_late(act, late=late)


def _change_routes(site: CloudSite, verb: str, router_id: str, routes: Sequence[Mapping[str, str]]) -> None:
    path, body = f"/routers/{router_id}/{verb}_extraroutes", {"router": {"routes": [dict(r) for r in routes]}}
    what = f"{verb} routes of router {router_id}"
    call(site, what, lambda: site.network.put(path, json=body), idempotent=True)


def attach(site: CloudSite, router_id: str, subnet_id: str) -> None:
    """Give the router the subnet's gateway address; idempotent.  Raises what ``call`` raises."""
    if attached(site, router_id, subnet_id):
        return
    what = f"attach subnet {subnet_id} to router {router_id}"
    path, body = f"/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id}
    try:
        resources.look_again(
            lambda: call(site, what, lambda: site.network.put(path, json=body)),
            lambda: attached(site, router_id, subnet_id) or None,
        )
    except Refused:
        if not attached(site, router_id, subnet_id):  # else a request of before has come through meanwhile
            raise


def attached(site: CloudSite, router_id: str, subnet_id: str) -> bool:
    """Whether a port of the router is in the subnet; of distributed and highly available routers too."""
    rows = resources.list_all(site, "port", device_id=router_id)
    return any(
        ip["subnet_id"] == subnet_id
        for row in rows
        if row["device_id"] == router_id
        for ip in row["fixed_ips"]
    )


def describe_interface(site: CloudSite, router_id: str, subnet_id: str, record: RouterInterface) -> None:
    """Give the port of the router in the subnet the record's name, description and tags; idempotent."""
    for row in resources.list_all(site, "port", device_id=router_id, device_owner=INTERFACES):
        inside = {ip["subnet_id"] for ip in row["fixed_ips"]}
        if row["device_id"] == router_id and subnet_id in inside:
            _describe(site, row, {"name": record.name, "description": record.description})
            resources.tag(site, "port", row, *record.tags)


def _describe(site: CloudSite, port: Row, wanted: Mapping[str, str]) -> None:
    changed = {key: value for key, value in wanted.items() if port.get(key) != value}
    if changed:
        what, path = f"name port {port['id']} of a router", f"/ports/{port['id']}"
        call(site, what, lambda: site.network.put(path, json={"port": changed}), idempotent=True)


def detach(site: CloudSite, router_id: str, subnet_id: str) -> None:
    """Take the subnet from the router; harmless when it is not there.  ConflictInSite while floating IPs need it."""
    what = f"detach subnet {subnet_id} from router {router_id}"
    path, body = f"/routers/{router_id}/remove_router_interface", {"subnet_id": subnet_id}
    try:
        call(site, what, lambda: site.network.put(path, json=body), idempotent=True)
    except NotFoundInSite:
        return


def remove(site: CloudSite, token: str, known: str | None, *subnet_ids: str, late: bool = False) -> None:
    """Delete what carries the token (and ``known``), these subnets taken from it before.

    ConflictInSite while it has others: those are somebody else's.  ``late``: a request whose answer was lost may still
    take effect: look a second time.
    """

    def delete(router_id: str) -> None:
        for subnet_id in subnet_ids:
            detach(site, router_id, subnet_id)
        resources.delete_one(site, "router", router_id)

    resources.remove(site, "router", token, known, late=late, delete=delete)
