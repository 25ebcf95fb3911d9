"""Which real ports other sites need a remote port for, and why; pure.

| port | gets a remote port |
|---|---|
| remote port | never: it stands for a port of a third site, which has its own token there |
| not bound to a host, or bound where there is no tunnel endpoint | no: there is nowhere to send its frames |
| ``network:dhcp`` | only when one site serves DHCP for all: then guests elsewhere must reach it.  When each site serves its own guests, none: a server elsewhere must not be asked |
| router interface | when it is the gateway of all sites, or each site's own gateway; a distributed router answers on every host of its site by itself and is never mirrored |
| other ``network:*`` | no: metadata, HA and distributed ports are of use within their site only |
| everything else that is bound (``compute:*``, trunk subports, load balancers) | yes |
"""  # noqa: E501

from __future__ import annotations

from multisite.domain.stretched import Gateway, PortFact, StretchedNetwork

_ROUTERS = frozenset({"network:router_interface", "network:ha_router_replicated_interface"})
EVERYWHERE, NOWHERE = "everywhere", "none"


def mirrored(network: StretchedNetwork, site: str, port: PortFact) -> bool:
    """Whether the other sites get a remote port for this port of ``site``."""
    return why_not(network, site, port) is None


def why_not(network: StretchedNetwork, site: str, port: PortFact) -> str | None:
    """None for a port that gets one; else the reason in words."""
    if port.is_remote:
        return "it is a remote port itself"
    if port.owner == "network:dhcp" and network.dhcp != site:
        return "each site's DHCP serves its own guests"
    if port.owner in _ROUTERS and not _is_gateway(network, site, port):
        return "it is not a gateway of this network"
    if port.owner.startswith("network:") and port.owner not in _ROUTERS | {"network:dhcp"}:
        return f"{port.owner} is of use within its site only"
    if not port.addresses:
        return "it has no address"
    if not port.endpoint:
        return "it is bound to no host with a tunnel endpoint"
    return None


def _is_gateway(network: StretchedNetwork, site: str, port: PortFact) -> bool:
    if network.gateway is Gateway.NONE:
        return False
    if network.gateway is Gateway.SITE and network.gateway_site != site:
        return False
    return network.member(site).gateway in port.addresses
