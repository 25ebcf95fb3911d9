"""What a site says that matters for a plane of networks of its own: default subnet pool, way out, room, who is in it.

Networking API v2: ``/subnetpools`` (one default per IP version), ``/networks`` (``router:external``; of several the one
marked ``is_default``), ``/extensions``, ``/quotas/{project}/details.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds import resources
from multisite.clouds.addresses import external_network
from multisite.clouds.call import network_extensions, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Unsupported
from multisite.clouds.quotas import network_headroom

Row = dict[str, Any]
AUTOMATIC = frozenset({"network:dhcp", "network:distributed"})
"""Owners of ports that Neutron deletes with their network (neutron_lib, AUTO_DELETE_PORT_OWNERS)."""
COUNTED = ("network", "subnet", "port", "router")


@dataclass(frozen=True)
class PlaneFacts:
    """``pool``: id and name of the default subnet pool for IPv4, None when there is none.

    ``external_id`` None: ``external_trouble`` says why, "" when nobody asked.  ``room``: what the project may still
    have of each; None is unlimited, absent not counted.
    """

    site: str
    project_id: str
    pool: tuple[str, str] | None
    external_id: str | None
    external_trouble: str
    room: Mapping[str, int | None]


def read_facts(site: CloudSite, project_id: str, *, router: bool) -> PlaneFacts:
    """Ask a site; ``router``: whether the plane needs one.  Raises what ``call`` raises."""
    external, trouble = _external_network(site) if router else (None, "")
    room = network_headroom(site, project_id, COUNTED)
    return PlaneFacts(site.name, project_id, default_pool(site), external, trouble, room)


def default_pool(site: CloudSite) -> tuple[str, str] | None:
    """Id and name of the subnet pool that IPv4 subnets without a word come from."""
    rows = read_all(site, "list subnet pools", lambda: site.network, "/subnetpools", "subnetpools")
    found = [row for row in rows if row.get("is_default") and int(row["ip_version"]) == 4]
    return (str(found[0]["id"]), str(found[0]["name"])) if found else None


def _external_network(site: CloudSite) -> tuple[str | None, str]:
    if "router" not in network_extensions(site):
        return None, "it has no extension router: add service plugin `router` to its neutron.conf"
    try:
        return external_network(site, None), ""
    except (NotFoundInSite, Unsupported) as error:
        return None, error.message


def guests(site: CloudSite, network_id: str, router_id: str | None) -> list[str]:
    """Ports that keep a plane's network from being removed, in words: not Neutron's own, nor those of our router."""
    rows = resources.list_all(site, "port", network_id=network_id)
    return [
        f"{row['name'] or row['id']} ({row['device_owner'] or 'port'} {row['device_id'] or row['id']})"
        for row in rows
        if row["device_owner"] not in AUTOMATIC and not (router_id and row["device_id"] == router_id)
    ]
