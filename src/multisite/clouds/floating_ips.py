"""Neutron: floating IPs of recovered ports: made from an external network, or one that is there lent to a port.

Networking API v2, ``/floatingips``.  One that is lent is changed only as it was when we looked (``addresses``): it is
never taken from a port that somebody gave it to meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multisite.clouds import addresses, resources
from multisite.clouds.addresses import CONCURRENT, Changed, FloatingIp, until_unchanged
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Failed, NotFoundInSite
from multisite.domain.routing import FloatingIpRecord

Row = dict[str, Any]


def ensure(
    site: CloudSite,
    token: str,
    record: FloatingIpRecord,
    network_id: str,
    port_id: str,
    *,
    address: str | None = None,
    fixed_address: str | None = None,
    fresh: bool = False,
) -> str:
    """Find or make one like the record that leads to this port; returns its id.

    ``network_id`` of the external network; ``address`` None lets Neutron choose, ``fixed_address`` None the port's only
    one.  Raises what ``call`` raises: 403 for who may not choose an address, 404 where no router leads there.
    """
    fields: Row = {"floating_network_id": network_id, "port_id": port_id}
    wanted = {
        "floating_ip_address": address,
        "fixed_ip_address": fixed_address,
        "dns_name": record.dns_name,
        "dns_domain": record.dns_domain,
    }
    fields |= {name: value for name, value in wanted.items() if value}
    row = resources.ensure(
        site, "floating_ip", token, fields, description=record.description, tags=record.tags, fresh=fresh
    )
    return str(row["id"])


def lend(site: CloudSite, floating_ip_id: str, port_id: str, fixed_address: str | None = None) -> None:
    """Let one that leads nowhere lead to this port; idempotent.  Failed when it leads to another one."""
    what = f"associate floating IP {floating_ip_id}"

    def attempt() -> None:
        seen = addresses.read(site, floating_ip_id)
        if seen.port_id is None:
            fixed = {"fixed_ip_address": fixed_address} if fixed_address else {}
            addresses.change(site, seen, {"port_id": port_id, **fixed})
        elif seen.port_id != port_id:
            said = f"{seen.address} leads to port {seen.port_id} meanwhile: free it, or map to another"
            raise Failed(site.name, what, said, state=None, seconds=0.0)

    _until_unchanged(site, what, attempt)


def give_back(site: CloudSite, floating_ip_id: str, port_id: str, *, late: bool = False) -> None:
    """Let it lead nowhere, if it leads to this port; harmless when it is gone.

    ``late``: a request whose answer was lost may still take effect: look a second time.
    """
    what = f"disassociate floating IP {floating_ip_id}"

    def attempt() -> None:
        seen = _read_or_none(site, floating_ip_id)
        if seen is not None and seen.port_id == port_id:
            addresses.change(site, seen, {"port_id": None})

    resources.twice_if_late(lambda: _until_unchanged(site, what, attempt), late=late)


def _read_or_none(site: CloudSite, floating_ip_id: str) -> FloatingIp | None:
    try:
        return addresses.read(site, floating_ip_id)
    except NotFoundInSite:
        return None


def _until_unchanged(site: CloudSite, what: str, attempt: Callable[[], None]) -> None:
    try:
        until_unchanged(attempt)
    except Changed as error:
        raise Failed(site.name, what, CONCURRENT, state=None, seconds=0.0) from error
