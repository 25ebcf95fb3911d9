"""Neutron: floating IPs with a chosen address, changed only as they were when we looked.

Every change is a compare-and-swap: ``If-Match: revision_number=<n>`` (API extension ``revision-if-match``,
neutron/services/revisions).  A request that is late, of a frozen process or of a connection that was given up, finds
a newer revision and is refused (412): it can not associate an address that was meanwhile taken away again.  For that
every release writes something, also where nothing was associated.

What the agent says: after a disassociation Neutron keeps ``status`` ACTIVE until the router's L3 agent reports that
it has taken the address away (neutron/agent/l3/router_info.py, update_fip_statuses), then it is DOWN; after an
association it becomes ACTIVE when the agent has configured it and sent gratuitous ARP (ip_lib.send_ip_addr_adv_notif).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from multisite.clouds import resources
from multisite.clouds.call import call, network_extensions
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import (
    ConflictInSite,
    Failed,
    NotFoundInSite,
    Refused,
    Unsupported,
)
from multisite.clouds.resources.tokens import checked

Row = dict[str, Any]
IF_MATCH = "revision-if-match"
TRIES = 8
"""Of a change while others modify the same thing at the same time (HTTP 412)."""
CONCURRENT = f"modified concurrently {TRIES} times: stop the other writer and retry"
T = TypeVar("T")


class Changed(Exception):
    """Somebody changed it since it was read: look again."""


def until_unchanged(attempt: Callable[[], T]) -> T:
    """``attempt`` reads, decides and writes; raising Changed, it is made again.  Raises Changed after ``TRIES``."""
    for _ in range(TRIES - 1):
        with suppress(Changed):
            return attempt()
    return attempt()


@dataclass(frozen=True)
class FloatingIp:
    id: str
    address: str
    network_id: str
    port_id: str | None
    status: str
    description: str
    revision: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class PortView:
    """A port, as far as addresses and paths need it."""

    id: str
    name: str
    status: str
    addresses: tuple[str, ...]
    security_groups: tuple[str, ...]
    port_security: bool
    revision: int
    project_id: str


def requires(site: CloudSite) -> None:
    """Unsupported when the site's Neutron lacks what moving safely needs."""
    aliases = network_extensions(site)
    for alias, plugin in (("router", "router"), (IF_MATCH, "revisions")):
        if alias not in aliases:
            said = f"it has no extension {alias}: add service plugin `{plugin}` to its neutron.conf"
            raise Unsupported(site.name, "ask for network extensions", said)


def external_network(site: CloudSite, ref: str | None) -> str:
    """Id of the external network called so (name or id); without a word the only one, or of several the default.

    Default is what ``openstack network set --default`` made it (extension auto-allocated-topology).  NotFoundInSite,
    Unsupported.
    """
    what = "find the external network"
    rows = resources.list_all(site, "network", **{"router:external": True})
    rows = [row for row in rows if row.get("router:external")]
    found = rows if ref is None else [row for row in rows if ref in (row["id"], row["name"])]
    if ref is None and len(found) > 1:
        found = [row for row in found if row.get("is_default")] or found
    if len(found) == 1:
        return str(found[0]["id"])
    names = ", ".join(sorted(row["name"] or row["id"] for row in rows)) or "none"
    if not found:
        raise NotFoundInSite(
            site.name, what, f"there is no external network {ref or ''!r}; it has: {names}", site_status=404
        )
    raise Unsupported(site.name, what, f"there are several: say which one; it has: {names}")


def port(site: CloudSite, port_id: str) -> PortView:
    """NotFoundInSite when it is gone."""
    row = resources.read(site, "port", port_id)
    return PortView(
        row["id"], row["name"], row["status"], tuple(ip["ip_address"] for ip in row["fixed_ips"]),
        tuple(row["security_groups"]), bool(row.get("port_security_enabled", True)), int(row["revision_number"]),
        row["project_id"],
    )  # fmt: skip


def find(site: CloudSite, network_id: str, address: str) -> FloatingIp | None:
    """The project's floating IP with this address in this external network; None: the site answered and has none.

    One of another project is none: an administrator's account lists it, too.
    """
    wanted = {
        "floating_network_id": network_id,
        "floating_ip_address": address,
        "project_id": site.project_id,
    }
    rows = resources.list_all(site, "floating_ip", **wanted)
    return next((_view(row) for row in rows if wanted.items() <= row.items()), None)


def of_token(site: CloudSite, token: str) -> FloatingIp | None:
    """What was made with this token: by its description until it is tagged, then by its tag."""
    rows = resources.rows(site, "floating_ip", token)
    return next((_view(row) for row in rows if row["project_id"] == site.project_id), None)


def read(site: CloudSite, floating_ip_id: str) -> FloatingIp:
    """One of the project; NotFoundInSite when it is gone, or of another."""
    row = resources.read(site, "floating_ip", floating_ip_id)
    if row["project_id"] != site.project_id:
        what = f"read floating IP {floating_ip_id}"
        raise NotFoundInSite(
            site.name, what, f"Floating IP {floating_ip_id} could not be found", site_status=404
        )
    return _view(row)


def reserve(
    site: CloudSite,
    token: str,
    network_id: str,
    address: str | None,
    description: str,
    *,
    fresh: bool = False,
) -> FloatingIp:
    """Make the floating IP, associated with nothing, or find what was made with this token.

    ``address`` None lets Neutron choose.  Choosing one is for administrators and project managers by Neutron's policy
    (``create_floatingip:floating_ip_address``; Refused says what to do); it may lie outside the allocation pools.
    """
    what = f"create floating IP {address or ''}".rstrip()
    fields: Row = {"floating_network_id": network_id, "description": checked(token)}
    if address is not None:
        fields["floating_ip_address"] = address
    body = {"floatingip": fields}
    found = None if fresh else of_token(site, token)
    try:
        found = found or resources.look_again(
            lambda: _view(resources.create(site, "floating_ip", body, what)), lambda: of_token(site, token)
        )
    except ConflictInSite as error:
        taken = f"{address} is taken in this site by something that is not ours to use: {error.message}"
        raise Refused(site.name, what, taken, site_status=409, request_id=error.request_id) from error
    except Refused as error:
        if address is None or error.site_status != 403:
            raise
        said = (
            f"Neutron lets no member choose an address: {error.message}; ask the site's administrator (openstack "
            f"floating ip create --floating-ip-address {address} --project {site.project_id} {network_id}), then retry"
        )
        raise Refused(site.name, what, said, site_status=403, request_id=error.request_id) from error
    resources.tag(site, "floating_ip", {"id": found.id, "tags": found.tags}, token)
    return _described(site, found.id, token, description)


def _described(site: CloudSite, floating_ip_id: str, token: str, description: str) -> FloatingIp:
    """Give it its own description instead of the token; one it has already is left alone."""

    def attempt() -> FloatingIp:
        seen = read(site, floating_ip_id)
        return seen if seen.description != token else change(site, seen, {"description": description})

    try:
        return until_unchanged(attempt)
    except Changed as error:
        what = f"describe floating IP {floating_ip_id}"
        raise Failed(site.name, what, CONCURRENT, state=None, seconds=0.0) from error


def associate(site: CloudSite, seen: FloatingIp, port_id: str, description: str) -> FloatingIp:
    """Give it to the port and write the description, as one change.  Raises Changed."""
    fields: Row = {"description": description}
    if seen.port_id != port_id:
        fields["port_id"] = port_id
    return change(site, seen, fields)


def disassociate(site: CloudSite, seen: FloatingIp, description: str) -> FloatingIp:
    """Take it from its port and write the description; also when it is on none, so that what is late is refused."""
    return change(site, seen, {"port_id": None, "description": description})


def describe(site: CloudSite, seen: FloatingIp, description: str) -> FloatingIp:
    """Only the description.  Raises Changed."""
    return change(site, seen, {"description": description})


def set_groups(site: CloudSite, seen: PortView, groups: Iterable[str]) -> None:
    """The security groups of a port.  Raises Changed."""
    body = {"port": {"security_groups": sorted(groups)}}
    _put(site, f"set the groups of port {seen.id}", f"/ports/{seen.id}", body, seen.revision)


def change(site: CloudSite, seen: FloatingIp, fields: Row) -> FloatingIp:
    """Raises Changed."""
    what, body = f"change floating IP {seen.address}", {"floatingip": fields}
    return _view(_put(site, what, f"/floatingips/{seen.id}", body, seen.revision)["floatingip"])


def _put(site: CloudSite, what: str, path: str, body: Row, revision: int) -> Row:
    """PUT if it is still as it was seen.  A repeated request whose first was carried out is refused: Changed too."""
    headers = {"If-Match": f"revision_number={revision}"}
    try:
        answer = call(site, what, lambda: site.network.put(path, json=body, headers=headers), idempotent=True)
    except Refused as error:
        if error.site_status == 412:
            raise Changed(f"{what}: it was changed meanwhile") from error
        raise
    shown: Row = answer.json()
    return shown


def _view(row: Mapping[str, Any]) -> FloatingIp:
    return FloatingIp(
        row["id"], row["floating_ip_address"], row["floating_network_id"], row["port_id"], row["status"],
        row.get("description") or "", int(row["revision_number"]), tuple(row.get("tags", ())),
    )  # fmt: skip
