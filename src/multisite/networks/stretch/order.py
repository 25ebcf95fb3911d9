"""What an operator asks for when a network is to be stretched, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from multisite.domain.errors import Invalid
from multisite.domain.stretched import Gateway, RemoteGroups, StretchKind
from multisite.networks.stretch.mirror import EVERYWHERE, NOWHERE


@dataclass(frozen=True)
class StretchOrder:
    """``adopt``: site -> network it has already (name or id); ``pools``: site -> first and last address.

    ``segment``: VNI or VLAN, None to choose; ``mtu`` None: the least of the sites; ``cidr`` None: the adopted
    network's.
    """

    name: str
    sites: tuple[str, ...]
    kind: StretchKind = StretchKind.VXLAN
    cidr: str | None = None
    segment: int | None = None
    mtu: int | None = None
    adopt: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    gateway: Gateway = Gateway.NONE
    gateway_site: str | None = None
    dhcp: str = EVERYWHERE
    remote_groups: RemoteGroups = RemoteGroups.SAME_NAMES
    port_security: bool = True
    physical_networks: Mapping[str, str] = field(default_factory=dict)


def checked(order: StretchOrder) -> StretchOrder:
    """The order, if it makes sense by itself.  Raises Invalid naming the field."""
    if len(order.sites) < 2 or len(set(order.sites)) != len(order.sites):
        raise Invalid("sites: name two or more different sites")
    for name, mapping in (
        ("adopt", order.adopt), ("pools", order.pools), ("physical_networks", order.physical_networks)
    ):  # fmt: skip
        if unknown := sorted(set(mapping) - set(order.sites)):
            raise Invalid(f"{name}: {', '.join(unknown)} is not one of the sites {', '.join(order.sites)}")
    if order.gateway is Gateway.SITE and order.gateway_site not in order.sites:
        raise Invalid(
            f"gateway_site: {order.gateway_site!r} is not one of the sites {', '.join(order.sites)}"
        )
    if order.dhcp not in (EVERYWHERE, NOWHERE, *order.sites):
        raise Invalid(
            f"dhcp: {order.dhcp!r} must be everywhere, none or one of the sites {', '.join(order.sites)}"
        )
    if order.cidr is None and not order.adopt:
        raise Invalid(
            "cidr: give the addresses of the network, such as 10.20.0.0/24, or adopt one that has them"
        )
    block = None if order.cidr is None else read_cidr("cidr", order.cidr)
    for site, pool in order.pools.items():
        _check_pool(site, pool, block)
    _check_segment(order)
    return order


def read_cidr(name: str, text: str) -> IPv4Network:
    """Raises Invalid naming the field."""
    try:
        found = ip_network(text)
    except ValueError as error:
        raise Invalid(f"{name}: {text!r} is not a network address: {error}") from error
    if not isinstance(found, IPv4Network) or found.prefixlen > 29:
        raise Invalid(
            f"{name}: {text!r} must be IPv4 with room for guests of several sites (prefix /29 or shorter)"
        )
    return found


def _check_pool(site: str, pool: tuple[str, str], block: IPv4Network | None) -> None:
    try:
        first, last = (ip_address(one) for one in pool)
    except ValueError as error:
        raise Invalid(f"pools: {site}: {error}") from error
    if not isinstance(first, IPv4Address) or not isinstance(last, IPv4Address) or first > last:
        raise Invalid(f"pools: {site}: {pool[0]}-{pool[1]} must be first and last IPv4 address")
    if block is not None and not (first in block and last in block):
        raise Invalid(f"pools: {site}: {pool[0]}-{pool[1]} is not within {block}")


def _check_segment(order: StretchOrder) -> None:
    most = {StretchKind.VXLAN: (1 << 24) - 1, StretchKind.VLAN: 4094, StretchKind.FLAT: 0}[order.kind]
    if order.segment is not None and not 1 <= order.segment <= most:
        raise Invalid(
            f"segment: {order.segment} is not a segment of kind {order.kind}: 1 to {most}, none for flat"
        )
    if order.kind is StretchKind.VXLAN:
        if order.physical_networks:
            raise Invalid("physical_networks: only networks of kind vlan and flat have one")
        return
    if order.kind is StretchKind.VLAN and order.segment is None:
        raise Invalid("segment: name the VLAN the sites' physical networks share")
    lacking = [s for s in order.sites if s not in order.physical_networks and s not in order.adopt]
    if lacking:
        raise Invalid(f"physical_networks: name that of {', '.join(lacking)}, as its Neutron calls it")
