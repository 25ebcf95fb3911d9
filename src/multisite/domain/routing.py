"""Parts of a restore point: routers of an application's networks, with their interfaces, routes and gateway; floating
IPs that lead to its ports.

Identifiers are those of the source site.  Source: Neutron API reference, ``/routers`` and ``/floatingips`` (the field
names follow it).
"""

from __future__ import annotations

from dataclasses import dataclass

from multisite.domain.validation import Address


@dataclass(frozen=True)
class RouterInterface:
    """An address the router has in a subnet of the application; the rest is of the port that has it."""

    subnet_id: str
    address: Address
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()

    @property
    def is_described(self) -> bool:
        """Whether its port has anything that Neutron does not give it."""
        return bool(self.name or self.description or self.tags)


@dataclass(frozen=True)
class RouterGateway:
    """Its way out: an external network, and the addresses it had there.

    ``network_name`` "": not shown to us.  ``enable_snat`` None: the source did not say.
    """

    network_id: str
    network_name: str
    enable_snat: bool | None = None
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True)
class RouterRecord:
    """A router of the project.  ``interfaces``: only those in networks of the application; ``routes``: all of them,
    each ``{"destination": CIDR, "nexthop": address}``.
    """

    id: str
    name: str
    interfaces: tuple[RouterInterface, ...]
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()
    routes: tuple[dict[str, str], ...] = ()
    gateway: RouterGateway | None = None


@dataclass(frozen=True)
class FloatingIpRecord:
    """A floating IP of the project: ``address`` in an external network, which leads to ``fixed_address`` of a port.

    ``network_name`` "": not shown to us.
    """

    id: str
    address: Address
    network_id: str
    network_name: str
    port_id: str
    fixed_address: Address
    description: str = ""
    tags: tuple[str, ...] = ()
    dns_name: str = ""
    dns_domain: str = ""
