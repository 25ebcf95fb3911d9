"""Routers and floating IPs in a plan: made anew, or one that is at the target and used."""

from __future__ import annotations

from dataclasses import dataclass

from multisite.domain.routing import FloatingIpRecord, RouterInterface, RouterRecord


@dataclass(frozen=True)
class PlannedInterface:
    """``subnet_id`` is the source's; ``at_gateway``: the address is the subnet's gateway.

    ``record``: None in jobs of earlier releases, which knew no more than the address.
    """

    step: str
    network_id: str
    subnet_id: str
    address: str
    at_gateway: bool
    record: RouterInterface | None = None


@dataclass(frozen=True)
class PlannedRouter:
    """``use``: id of a router at the target, None when the step makes one, called ``name``.

    ``external_id``: the network of the target a new one has its gateway in; ``snat``: with source NAT there.
    ``routes``: those to be added, by the step ``routes_step``.
    """

    step: str
    routes_step: str
    use: str | None
    name: str
    record: RouterRecord
    interfaces: tuple[PlannedInterface, ...]
    routes: tuple[dict[str, str], ...] = ()
    external_id: str | None = None
    snat: bool = True


@dataclass(frozen=True)
class PlannedFloatingIp:
    """``use``: id of one at the target that leads nowhere, None when the step makes one.

    ``fixed_address`` None: the port gets another one.  ``network_id`` of the target; ``address``: to be asked for
    there, None lets the site choose.
    """

    step: str
    use: str | None
    record: FloatingIpRecord
    fixed_address: str | None
    network_id: str = ""
    address: str | None = None
