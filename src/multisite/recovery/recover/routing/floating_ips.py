"""Floating IPs of a recovery: from an external network of the target, or an address there, as the operator maps them.

Their addresses are the sites': nothing is guessed, and one that is not mapped is told of.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from multisite.domain.manifest import PortRecord
from multisite.domain.routing import FloatingIpRecord
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import mapped
from multisite.recovery.recover.model import PlannedNetwork, PlannedPort
from multisite.recovery.recover.routing.model import PlannedFloatingIp, PlannedRouter
from multisite.recovery.recover.routing.target import TargetFloatingIp
from multisite.recovery.recover.target_facts import TargetNetwork

DNS_EXTENSION = "dns-integration"


def plan_floating_ips(
    draft: Draft,
    networks: Iterable[PlannedNetwork],
    ports: Iterable[PlannedPort],
    routers: Iterable[PlannedRouter],
) -> tuple[PlannedFloatingIp, ...]:
    """Those that are mapped; of the others it is told."""
    if not draft.manifest.floating_ips:
        return ()
    by_network, by_port = {n.record.id: n for n in networks}, {p.record.id: p for p in ports}
    found = []
    for number, record in enumerate(draft.manifest.floating_ips, 1):
        port = by_port.get(record.port_id)
        wanted = mapped(draft.rules.floating_ips, record.id, record.address)
        if wanted is None:
            _tell(draft, record, port.record if port else None)
        elif port is not None and draft.needs("floating_ips", "floating IPs"):
            planned = _planned(draft, f"floating-ip-{number}", record, port, wanted)
            if planned is not None:
                found.append(planned)
                _must_lead(draft, planned, by_network.get(port.record.network_id), list(routers))
    _refuse_one_for_two(draft, found)
    return tuple(found)


def _tell(draft: Draft, record: FloatingIpRecord, port: PortRecord | None) -> None:
    shown = port.name or port.mac_address if port else record.port_id
    external = " or ".join(n.name for n in draft.facts.networks if n.external)
    there = f" ({draft.facts.site} has {external})" if external else ""
    draft.note(
        f"floating IP {record.address}",
        f"it leads to port {shown} and is not made: its address is the source's, and no rule maps it",
        "map it to an external network, or to an address there: "
        f"{draft.option('floating_ips', record.id, record.address)}{there}",
    )


def _planned(
    draft: Draft, step: str, record: FloatingIpRecord, port: PlannedPort, wanted: str
) -> PlannedFloatingIp | None:
    kept = record.fixed_address if any(a.address == record.fixed_address for a in port.addresses) else None
    planned = PlannedFloatingIp(step, None, _possible(draft, record), kept)
    subject, to = f"floating IP {record.address}", f"port {port.record.name or port.record.mac_address}"
    external = [network for network in draft.facts.networks if network.external]
    own = [f for f in draft.facts.floating_ips if wanted in (f.id, f.address)]
    if own:
        return _existing(draft, subject, planned, own, to)
    if _is_address(wanted):
        return _chosen(draft, subject, planned, external, wanted, to)
    network = draft.find(external, wanted, subject, "floating_ips")
    if network is None:
        return None
    draft.create("floating IP", record.address, f"a new address of {network.name!r} leads to {to}")
    return replace(planned, network_id=network.id)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _existing(
    draft: Draft, subject: str, planned: PlannedFloatingIp, own: Sequence[TargetFloatingIp], to: str
) -> PlannedFloatingIp | None:
    """One of the project; the same address may be in two external networks."""
    there, address = own[0], planned.record.address
    if len(own) > 1:
        ids = ", ".join(sorted(f.id for f in own))
        draft.problem(
            subject,
            f"mapping.floating_ips maps it to {there.address}, which {len(own)} at {draft.facts.site} have",
            f"map it to one of these ids: {ids}",
        )
        return None
    if there.port_id is not None:
        draft.problem(
            subject,
            f"mapping.floating_ips maps it to {there.address}, which leads to port {there.port_id} at "
            f"{draft.facts.site}",
            f"free it there: openstack floating ip unset --port {there.id}; or map it to another",
        )
        return None
    draft.use(
        "floating IP", address, there.id, f"{there.address} leads to {to} until an undo, and stays after it"
    )
    return replace(planned, use=there.id, network_id=there.network_id)


def _chosen(
    draft: Draft,
    subject: str,
    planned: PlannedFloatingIp,
    external: Sequence[TargetNetwork],
    wanted: str,
    to: str,
) -> PlannedFloatingIp | None:
    """An address that is nobody's yet, asked of the network it is in."""
    within = [n for n in external if any(_holds(s.cidr, wanted) for s in n.subnets)]
    site, project = draft.facts.site, draft.facts.project_id
    make = f"openstack floating ip create --floating-ip-address {wanted} --project {project}"
    if draft.needs("may_choose_address", "roles of our accounts") and not draft.facts.may_choose_address:
        draft.problem(
            subject,
            f"the project has no floating IP {wanted} at {site}, and our account may not choose an address",
            f"have an administrator make it: {make} <external network>; or map it to an external network",
        )
    elif len(within) != 1:
        draft.problem(
            subject,
            f"the project has no floating IP {wanted} at {site}, and {len(within)} external networks there have it",
            f"make it there: {make} <external network>; or map it to an external network",
        )
    else:
        draft.create("floating IP", planned.record.address, f"{wanted} of {within[0].name!r} leads to {to}")
        return replace(planned, network_id=within[0].id, address=wanted)
    return None


def _holds(cidr: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)


def _possible(draft: Draft, record: FloatingIpRecord) -> FloatingIpRecord:
    """Without a DNS name where the target's Neutron has none: asked for all the same, it refuses the request."""
    if not (record.dns_name or record.dns_domain) or not draft.needs(
        "network_extensions", "network extensions"
    ):
        return record
    if DNS_EXTENSION in draft.facts.network_extensions:
        return record
    draft.note(
        f"floating IP {record.address}",
        f"its DNS name cannot be set at {draft.facts.site}: Neutron there lacks the extension {DNS_EXTENSION}",
        "load the extension there and preview again, or do without",
    )
    return replace(record, dns_name="", dns_domain="")


def _must_lead(
    draft: Draft, planned: PlannedFloatingIp, network: PlannedNetwork | None, routers: Sequence[PlannedRouter]
) -> None:
    """Neutron refuses one without a router between (neutron/db/l3_db.py, get_router_for_floatingip).

    Of another project's network the routers are not shown to us.
    """
    if network is None or not draft.needs("routers", "routers"):
        return
    if network.use is None:
        there = {router.id: router.external_id for router in draft.facts.routers}
        ways = [
            router.external_id if router.use is None else there.get(router.use)
            for router in routers
            if any(interface.network_id == network.record.id for interface in router.interfaces)
        ]
    else:
        used = next((n for n in draft.facts.networks if n.id == network.use), None)
        if used is None or used.project_id != draft.facts.project_id:
            return
        inside = {subnet.id for subnet in used.subnets}
        ways = [router.external_id for router in draft.facts.routers if router.subnet_ids & inside]
    if planned.network_id not in ways:
        names = {n.id: n.name for n in draft.facts.networks}
        draft.problem(
            f"floating IP {planned.record.address}",
            f"no router leads from network {network.name} to external network "
            f"{names.get(planned.network_id, planned.network_id)} at {draft.facts.site}",
            "map it to the external network that the router of its network has its gateway in",
        )


def _refuse_one_for_two(draft: Draft, planned: Iterable[PlannedFloatingIp]) -> None:
    asked = Counter(one.use or one.address for one in planned)
    for one in planned:
        if (one.use or one.address) and asked[one.use or one.address] > 1:
            draft.problem(
                f"floating IP {one.record.address}",
                "mapping.floating_ips maps another one to the same address",
                "map each to an address of its own, or to an external network",
            )
