"""What a site says of a plane of networks of its own, and setting back what may be without taking anything away.

Networking API v2: ``/networks``, ``/subnets``, ``/ports``, ``/routers``.  Neutron keeps a subnet's gateway as it is
while a router is at that address (409, ``GatewayIpInUse``), and refuses one inside the allocation pools (409); what it
refuses is told, not forced.
"""

from __future__ import annotations

from typing import Any

from multisite.clouds import resources
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.planes import AUTOMATIC
from multisite.clouds.projects import require_visible
from multisite.clouds.resources import Kind, tokens
from multisite.domain.plane_drift import Holder, NetworkSeen, PlaneSiteState, RouterSeen, SubnetSeen
from multisite.domain.planes import MadeAt

Row = dict[str, Any]
ROUTERS = frozenset(
    {
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
    }
)
"""Owners of routers' ports in networks of theirs (neutron_lib/constants.py, ROUTER_INTERFACE_OWNERS)."""
SNAT = "network:router_centralized_snat"
"""Of a distributed router's second port in a network; its interface proper has the gateway's address."""


def read_state(site: CloudSite, name: str, made: MadeAt) -> PlaneSiteState:
    """``name``: of everything made.  Complete, or it raises what ``call`` and ``require_visible`` raise."""
    network = resources.read_or_none(require_visible(site, made.project_id), "network", made.network_id)
    subnets: list[Row] = []
    ports: list[Row] = []
    if network is not None:
        subnets = resources.list_all(site, "subnet", network_id=made.network_id)
        ports = resources.list_all(site, "port", network_id=made.network_id)
    subnet = next((row for row in subnets if row["id"] == made.subnet_id), None)
    router = resources.read_or_none(site, "router", made.router_id) if made.router_id else None
    at = [
        address for row in ports if _is_of(row, made.router_id) for address in _addresses(row, made.subnet_id)
    ]
    return PlaneSiteState(
        site.name,
        known=True,
        network=_network(network),
        other_networks=() if network is not None else _others(site, "network", name, made),
        subnet=_subnet(subnet),
        other_subnets=tuple(
            (row["id"], row["cidr"]) for row in subnets if _by_hand(row) and row is not subnet
        ),
        router=_router(router),
        other_routers=_others(site, "router", name, made) if made.router_id and router is None else (),
        interface=at[0] if at else None,
        holders={
            address: Holder(_words(row), row["device_owner"] in ROUTERS)
            for row in ports
            if not _is_of(row, made.router_id) and row["device_owner"] not in AUTOMATIC
            for address in _addresses(row, made.subnet_id)
        },
    )


def enable(site: CloudSite, kind: str, id: str) -> None:
    """Give a network or router the administrative state up; idempotent."""
    _put(site, f"enable {kind} {id}", kind, id, {"admin_state_up": True})


def set_gateway(site: CloudSite, subnet_id: str, gateway: str | None) -> None:
    """Idempotent; ConflictInSite while a router is at the present one, or pools have the new one."""
    _put(site, f"set the gateway of subnet {subnet_id}", "subnet", subnet_id, {"gateway_ip": gateway})


def set_external_gateway(site: CloudSite, router_id: str, network_id: str) -> None:
    """Idempotent; with the same network Neutron keeps the gateway's port as it is (l3_db, _update_router_gw_info)."""
    fields = {"external_gateway_info": {"network_id": network_id}}
    _put(site, f"give router {router_id} its external gateway", "router", router_id, fields)


def _put(site: CloudSite, what: str, kind: str, id: str, fields: Row) -> None:
    call(site, what, lambda: site.network.put(f"/{kind}s/{id}", json={kind: fields}), idempotent=True)


def _others(site: CloudSite, kind: Kind, name: str, made: MadeAt) -> tuple[str, ...]:
    """Ids of what is called so in the same project, and was not made by Multisite."""
    mine = {"name": name, "project_id": made.project_id or site.project_id}
    rows = resources.list_all(site, kind, **mine)
    return tuple(row["id"] for row in rows if mine.items() <= row.items() and _by_hand(row))


def _by_hand(row: Row) -> bool:
    """Nothing of it carries a token: a repair that died may have made it without coming to write that down."""
    return not any(tokens.is_token(word) for word in (*row.get("tags", ()), row["description"]))


def _network(row: Row | None) -> NetworkSeen | None:
    return None if row is None else NetworkSeen(bool(row["admin_state_up"]), int(row.get("mtu") or 0))


def _subnet(row: Row | None) -> SubnetSeen | None:
    return None if row is None else SubnetSeen(row["cidr"], row["gateway_ip"], bool(row["enable_dhcp"]))


def _router(row: Row | None) -> RouterSeen | None:
    if row is None:
        return None
    external = (row.get("external_gateway_info") or {}).get("network_id")
    return RouterSeen(bool(row["admin_state_up"]), external)


def _is_of(port: Row, router_id: str | None) -> bool:
    return router_id is not None and port["device_id"] == router_id and port["device_owner"] != SNAT


def _addresses(port: Row, subnet_id: str) -> list[str]:
    return [ip["ip_address"] for ip in port["fixed_ips"] if ip["subnet_id"] == subnet_id]


def _words(port: Row) -> str:
    return f"port {port['name'] or port['id']} ({port['device_owner'] or 'of nobody'} {port['device_id']})".replace(
        " )", ")"
    )
