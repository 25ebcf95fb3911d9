"""Routers of a recovery: made anew with their interfaces, routes and gateway, or one that is at the target is used.

Only what leads into a network that is made anew has a router to be made; a network the operator maps to has its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from multisite.domain.manifest import SubnetRecord
from multisite.domain.routing import RouterRecord
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import mapped
from multisite.recovery.recover.model import PlannedNetwork
from multisite.recovery.recover.routing.gateway import source_nat, way_out
from multisite.recovery.recover.routing.model import PlannedInterface, PlannedRouter
from multisite.recovery.recover.routing.target import TargetRouter

EXTENSION, ROUTES_EXTENSION = "router", "extraroute-atomic"
Subnets = Mapping[str, tuple[PlannedNetwork, SubnetRecord]]
"""By id of the source: those that are made."""


def plan_routers(draft: Draft, networks: Iterable[PlannedNetwork]) -> tuple[PlannedRouter, ...]:
    """Those that are made or used; of the others it is told."""
    if not draft.manifest.routers or not draft.needs("network_extensions", "network extensions"):
        return ()
    if EXTENSION not in draft.facts.network_extensions:
        for record in draft.manifest.routers:
            draft.note(
                f"router {record.name or record.id}",
                f"it is not made: Neutron at {draft.facts.site} lacks the extension {EXTENSION}",
                "load the extension there and preview again, or do without",
            )
        return ()
    if not draft.needs("routers", "routers"):
        return ()
    subnets = {s.record.id: (n, s.record) for n in networks if n.use is None for s in n.subnets}
    found = (
        _router(draft, number, record, subnets) for number, record in enumerate(draft.manifest.routers, 1)
    )
    return tuple(router for router in found if router is not None)


def _router(draft: Draft, number: int, record: RouterRecord, subnets: Subnets) -> PlannedRouter | None:
    step, subject = f"router-{number}", f"router {record.name or record.id}"
    interfaces = _interfaces(draft, step, subject, record, subnets)
    if not interfaces:
        return None
    shown = ", ".join(f"{i.address} in {subnets[i.subnet_id][0].name}" for i in interfaces)
    wanted = mapped(draft.rules.routers, record.id, record.name)
    if wanted is not None:
        there = draft.find(draft.facts.routers, wanted, subject, "routers")
        if there is None:
            return None
        _must_not_overlap(draft, subject, there, [subnets[i.subnet_id][1] for i in interfaces])
        detail = f"{there.name!r}: mapped by the operator; it gets {shown} until an undo, and keeps the rest"
        draft.use("router", record.name or record.id, there.id, detail)
        routes = _routes(draft, subject, record, interfaces, subnets)
        name = there.name or there.id
        return PlannedRouter(step, f"{step}-routes", there.id, name, record, interfaces, routes)
    name = mapped(draft.rules.router_names, record.id, record.name) or record.name
    _collisions(draft, record, name)
    external = way_out(draft, subject, record.gateway)
    routes = _routes(draft, subject, record, interfaces, subnets)
    outside = f"gateway in {external.name}, at an address of that site" if external else "no gateway"
    draft.create("router", name, f"{shown}; {outside}; {len(routes)} routes")
    snat = source_nat(draft, subject, record.gateway) if external else True
    external_id = external.id if external else None
    return PlannedRouter(
        step, f"{step}-routes", None, name or record.id, record, interfaces, routes, external_id, snat
    )


def _interfaces(
    draft: Draft, step: str, subject: str, record: RouterRecord, subnets: Subnets
) -> tuple[PlannedInterface, ...]:
    """Those in networks that are made."""
    made = [i for i in record.interfaces if i.subnet_id in subnets]
    missing = [i.address for i in record.interfaces if i.subnet_id not in subnets]
    _tell_of_mapped(draft, subject, made=bool(made), missing=missing)
    planned = []
    for number, interface in enumerate(made, 1):
        network, subnet = subnets[interface.subnet_id]
        planned.append(
            PlannedInterface(
                f"{step}-interface-{number}", network.record.id, subnet.id, interface.address,
                at_gateway=subnet.gateway_address == interface.address, record=interface,
            )
        )  # fmt: skip
    return tuple(planned)


def _tell_of_mapped(draft: Draft, subject: str, *, made: bool, missing: Sequence[str]) -> None:
    if not missing:
        return
    what = f"it gets no interface at {', '.join(missing)}" if made else "it is not made"
    draft.note(
        subject,
        f"{what}: the network there is mapped to an existing one, which has routers of its own or none",
        f"if {draft.facts.site} shall have one: openstack router add subnet",
    )


def _must_not_overlap(
    draft: Draft, subject: str, there: TargetRouter, subnets: Sequence[SubnetRecord]
) -> None:
    """Neutron refuses it (neutron/db/l3_db.py, _check_for_dup_router_subnets)."""
    known = [s for n in draft.facts.networks for s in n.subnets if s.id in there.subnet_ids]
    for subnet in subnets:
        for other in known:
            if _net(subnet.cidr).version == other.ip_version and _net(subnet.cidr).overlaps(_net(other.cidr)):
                draft.problem(
                    subject,
                    f"{there.name!r} at {draft.facts.site} has an interface in {other.cidr}, which overlaps "
                    f"{subnet.cidr} of subnet {subnet.name or subnet.id}",
                    "map it to another router, or to none: then one is made",
                )


def _net(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr, strict=False)


def _collisions(draft: Draft, record: RouterRecord, name: str) -> None:
    """One of this name is as likely the same router, made with another application that it is shared with."""
    same = [router.id for router in draft.facts.routers if name and router.name == name]
    if same:
        draft.problem(
            f"router {name}",
            f"a router of this name is at {draft.facts.site} already: {', '.join(same)}",
            f"use it: {draft.option('routers', record.id, record.name, same[0])}, or make another: "
            + draft.option("router_names", record.id, record.name, f"{name}-recovered"),
        )


def _routes(
    draft: Draft,
    subject: str,
    record: RouterRecord,
    interfaces: Iterable[PlannedInterface],
    subnets: Subnets,
) -> tuple[dict[str, str], ...]:
    """Those whose next hop is in a network that is made: Neutron takes no other (neutron/db/extraroute_db.py).

    So a router that is there has none of them yet, and an undo takes away none of its own.
    """
    within = [_net(subnets[i.subnet_id][1].cidr) for i in interfaces]
    wanted = [route for route in record.routes if any(_leads(route, net) for net in within)]
    lost = [route for route in record.routes if route not in wanted]
    if wanted and ROUTES_EXTENSION not in draft.facts.network_extensions:
        _tell_routes(
            draft, subject, wanted, f"Neutron at {draft.facts.site} lacks the extension {ROUTES_EXTENSION}"
        )
        wanted = []
    _tell_routes(draft, subject, lost, "no network that is made has the next hop")
    return tuple(wanted)


def _leads(route: Mapping[str, str], net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return ipaddress.ip_address(route["nexthop"]) in net


def _tell_routes(draft: Draft, subject: str, routes: Sequence[Mapping[str, str]], why: str) -> None:
    if routes:
        shown = ", ".join(f"{route['destination']} via {route['nexthop']}" for route in routes)
        draft.note(
            subject, f"routes {shown} are not set: {why}", "set them there: openstack router add route"
        )
