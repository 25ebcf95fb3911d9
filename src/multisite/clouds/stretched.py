"""What a site says that matters for stretching a network, and the making of a site's part.

Sources: Networking API v2 (networks with provider attributes, ``/agents``, ``/extensions``, ``/quotas``); for
an agent's ``configurations`` neutron/plugins/ml2/drivers/openvswitch/agent (tunneling_ip, tunnel_types, l2_population).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import STRETCH_NETWORKS, administrator
from multisite.clouds.call import call, network_extensions, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite
from multisite.clouds.quotas import network_headroom
from multisite.clouds.remote_ports import fact
from multisite.clouds.resources import Kind
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.stretched import REMOTE_AGENT, PortFact

Row = dict[str, Any]
DHCP_SECONDS = 2.0
"""DHCP gives its port back a moment after its subnet is asked for."""


@dataclass(frozen=True)
class SubnetFact:
    id: str
    cidr: str
    gateway: str | None
    dhcp: bool
    pools: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class NetworkFact:
    """``kind``: Neutron's ``provider:network_type``, None when our credentials may not see it."""

    id: str
    name: str
    project_id: str
    kind: str | None
    segment: int | None
    physical_network: str | None
    mtu: int
    port_security: bool
    subnets: tuple[SubnetFact, ...] = ()


@dataclass(frozen=True)
class SiteFacts:
    """``endpoints``: tunnel endpoints of hosts whose agent is alive, does VXLAN and has l2population.

    ``room``: what the project may still have of networks, subnets and ports; None is unlimited, absent not counted.
    ``ports``: those of the network to adopt.
    """

    site: str
    project_id: str
    extensions: frozenset[str]
    admin: bool
    endpoints: tuple[str, ...]
    networks: tuple[NetworkFact, ...]
    room: Mapping[str, int | None]
    adopt: NetworkFact | None = None
    ports: tuple[PortFact, ...] = ()


def read_facts(site: CloudSite, adopt: str | None = None) -> SiteFacts:
    """Ask a site; ``adopt`` is the name or id of a network it has.

    Raises what ``call`` raises, NotFound and Conflict naming ``adopt``.
    """
    admin = administrator(site, STRETCH_NETWORKS)
    rows = resources.list_all(admin, "network")
    agents = read_all(admin, "list network agents", lambda: admin.network, "/agents", "agents")
    chosen = _adopted(admin, rows, adopt) if adopt else None
    ports: tuple[PortFact, ...] = ()
    if chosen is not None:
        found = resources.list_all(admin, "port", network_id=chosen.id)
        ports = tuple(fact(row, "", {}) for row in found)
    return SiteFacts(
        site=site.name,
        project_id=site.project_id,
        extensions=frozenset(network_extensions(site)),
        admin="admin" in admin.roles,
        endpoints=endpoints(agents),
        networks=tuple(_network(row) for row in rows),
        room=network_headroom(site, site.project_id, ("network", "subnet", "port")),
        adopt=chosen,
        ports=ports,
    )


def endpoints(agents: list[Row]) -> tuple[str, ...]:
    """Tunnel endpoints of the site's own hosts.  Shadow agents of remote endpoints do not count."""
    found = set()
    for agent in agents:
        settings = agent.get("configurations") or {}
        alive = agent.get("alive") and agent.get("admin_state_up", True)
        if agent.get("agent_type") == REMOTE_AGENT or not alive or not settings.get("tunneling_ip"):
            continue
        if "vxlan" in (settings.get("tunnel_types") or ()) and settings.get("l2_population"):
            found.add(str(settings["tunneling_ip"]))
    return tuple(sorted(found))


def _adopted(site: CloudSite, rows: list[Row], name: str) -> NetworkFact:
    found = [row for row in rows if name in (row["id"], row["name"])]
    if not found:
        raise NotFound(f"adopt: site {site.name} has no network {name!r} that our credentials see")
    if len(found) > 1:
        raise Conflict(f"adopt: site {site.name} has {len(found)} networks {name!r}: name one by its id")
    row = found[0]
    subnets = resources.list_all(site, "subnet", network_id=row["id"])
    return _network(row, tuple(_subnet(s) for s in subnets))


def _network(row: Row, subnets: tuple[SubnetFact, ...] = ()) -> NetworkFact:
    return NetworkFact(
        id=row["id"],
        name=row["name"],
        project_id=row["project_id"],
        kind=row.get("provider:network_type"),
        segment=row.get("provider:segmentation_id"),
        physical_network=row.get("provider:physical_network"),
        mtu=int(row.get("mtu") or 0),
        port_security=row.get("port_security_enabled") is not False,
        subnets=subnets,
    )


def _subnet(row: Row) -> SubnetFact:
    pools = tuple((pool["start"], pool["end"]) for pool in row["allocation_pools"])
    return SubnetFact(row["id"], row["cidr"], row["gateway_ip"], bool(row["enable_dhcp"]), pools)


# A site's part


def read_network(site: CloudSite, network_id: str) -> NetworkFact:
    """A network by its id; NotFoundInSite when it is gone."""
    return _network(resources.read(site, "network", network_id))


def set_mtu(site: CloudSite, network_id: str, mtu: int) -> None:
    """Idempotent; needs the extension net-mtu-writable."""
    body = {"network": {"mtu": mtu}}
    what = f"set the MTU of network {network_id}"
    call(site, what, lambda: site.network.put(f"/networks/{network_id}", json=body), idempotent=True)


def set_pools(site: CloudSite, subnet_id: str, pools: tuple[tuple[str, str], ...]) -> None:
    """Give a subnet exactly these allocation pools; idempotent."""
    body = {"subnet": {"allocation_pools": [{"start": a, "end": b} for a, b in pools]}}
    what = f"set the allocation pools of subnet {subnet_id}"
    call(site, what, lambda: site.network.put(f"/subnets/{subnet_id}", json=body), idempotent=True)


def guests(site: CloudSite, network_id: str) -> list[str]:
    """Ports that keep a network from being removed, in words: neither remote ports nor those of DHCP."""
    found = [fact(row, "", {}) for row in resources.list_all(site, "port", network_id=network_id)]
    return [f"{p.owner or 'port'} {p.id}" for p in found if not p.is_remote and p.owner != "network:dhcp"]


def remove(site: CloudSite, kind: Kind, token: str, resource_id: str | None, *, late: bool = False) -> None:
    """Delete what carries the token; ConflictInSite names the ports that are still in it."""
    try:
        resources.remove(site, kind, token, resource_id, late=late)
    except ConflictInSite:
        time.sleep(DHCP_SECONDS)
        resources.remove(site, kind, token, resource_id, late=late)
