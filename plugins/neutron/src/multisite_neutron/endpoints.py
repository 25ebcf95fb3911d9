# SPDX-License-Identifier: Apache-2.0
"""Which tunnel endpoints a remote port may be behind: an address is checked before anything is sent to it.

Agents send a stretched network's frames, unencrypted, to any endpoint they are told of; so an endpoint is
refused unless there is no doubt about it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from neutron_lib.api import validators
from oslo_config import cfg

from multisite_neutron import names, vteps
from multisite_neutron.errors import BadRemotePort, RemotePortConflict

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def asked_for(request: dict[str, Any]) -> tuple[bool, str | None]:
    """Tell whether a request names ``tunneling_ip``, and the value: canonical if it is an address.

    Neutron's validators have seen API requests before; requests from inside Neutron come as they are.
    """
    value = request.get(names.TUNNELING_IP)
    if names.TUNNELING_IP not in request or (value is not None and not validators.is_attr_set(value)):
        return False, None
    if value is None:
        return True, None
    try:
        return True, str(ipaddress.ip_address(value))
    except ValueError:
        return True, str(value)


def check(context: Any, value: str | None) -> str:
    """Return the endpoint's canonical address, or raise why it is refused (BadRemotePort, RemotePortConflict)."""
    if not value:
        raise BadRemotePort(
            error_message="tunneling_ip: a remote port needs it; give the address of the tunnel endpoint, in the "
            "other site, of the host its real port is bound to (tunneling_ip of that port)"
        )
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise BadRemotePort(
            error_message=f"tunneling_ip: {value!r} is no IP address; give the tunnel endpoint's address"
        ) from None
    fault = _not_an_endpoint(address) or _not_allowed(address)
    if fault:
        raise BadRemotePort(error_message=f"tunneling_ip: {address} {fault}")
    owner = vteps.local_host(context, str(address))
    if owner is not None:
        raise RemotePortConflict(
            error_message=f"tunneling_ip: {address} is the tunnel endpoint of {owner}, a host of this Neutron; a "
            "remote port stands for a port of another site: give the endpoint of that site's host"
        )
    return str(address)


def parse_allowed(entries: Iterable[str]) -> list[Network]:
    """Read the option allowed_vteps; raises ValueError naming the entry that is no network."""
    return [ipaddress.ip_network(entry) for entry in entries]


def _not_an_endpoint(address: Address) -> str:
    """Say why no host can have this address, or nothing."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return f"is an IPv4 address in disguise; give {mapped}"
    for fault, what in (
        (address.is_unspecified, "the unspecified address"),
        (address.is_loopback, "a loopback address"),
        (address.is_multicast, "a multicast address"),
        (address.is_link_local, "a link-local address"),
        (address.is_reserved, "a reserved address"),
    ):
        if fault:
            return f"is {what}; give the address other hosts reach the tunnel endpoint at"
    if getattr(address, "scope_id", None):
        return "has a zone; give an address that means the same on every host"
    version = cfg.CONF.ml2.overlay_ip_version
    if address.version != version:
        return (
            f"is IPv{address.version}, but this Neutron's tunnels are IPv{version} ([ml2] overlay_ip_version)"
        )
    return ""


def _not_allowed(address: Address) -> str:
    """Say why the operator's allow-list refuses the address, or nothing.  An unreadable list allows nothing."""
    entries = cfg.CONF[names.DRIVER].allowed_vteps
    if entries is None:
        return ""
    try:
        networks = parse_allowed(entries)
    except ValueError as error:
        return f"cannot be allowed: [remote_port] allowed_vteps is wrong ({error}); the operator has to correct it"
    if any(address.version == network.version and address in network for network in networks):
        return ""
    shown = ", ".join(str(network) for network in networks) or "none"
    return (
        f"is not in a network this Neutron allows ({shown}); use another endpoint, or have the operator add its "
        "network to [remote_port] allowed_vteps"
    )
