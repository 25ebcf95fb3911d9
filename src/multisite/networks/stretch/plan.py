"""From what the sites say to what stretching a network would do, in words, and what stands in its way; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from multisite.clouds.stretched import SiteFacts
from multisite.domain.findings import Finding, Severity, blockers, blocking
from multisite.domain.stretched import Gateway, Member, RemoteGroups, StretchKind
from multisite.networks.stretch.addressing import Addressing, share
from multisite.networks.stretch.mirror import EVERYWHERE
from multisite.networks.stretch.order import StretchOrder, read_cidr

VNI_RANGE = (5000, 5999)


@dataclass(frozen=True)
class StretchPlan:
    """``members``: without ids of what is still to be made.  ``actions`` and ``notes``: in words.

    ``mtu`` None: the least of what the sites give, found when the networks are made.  ``set_pools``: adopted subnets
    whose allocation pools are narrowed, site -> what they were.
    """

    order: StretchOrder
    segment: int | None
    cidr: str
    mtu: int | None
    members: tuple[Member, ...]
    actions: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[Finding, ...]
    set_pools: Mapping[str, tuple[tuple[str, str], ...]]

    @property
    def startable(self) -> bool:
        return not blockers(self.problems)


def make_plan(
    order: StretchOrder,
    facts: Mapping[str, SiteFacts],
    silent: Mapping[str, str],
    *,
    taken: Collection[int] = (),
    vni_range: tuple[int, int] = VNI_RANGE,
) -> StretchPlan:
    """``silent``: sites that did not tell, and why; ``taken``: VNIs of other stretched networks.

    A plan with blocking problems is for reading only.
    """
    problems = [*_silence(silent)]
    for site in facts.values():
        others = sum(_mirrorable(other) for other in facts.values() if other is not site)
        problems += _of_site(order, site, others)
    problems += _between(order, facts)
    segment, found = _segment(order, facts, silent, taken, vni_range)
    problems += found
    cidr, found = _cidr(order, facts)
    problems += found
    addressing = share(order, read_cidr("cidr", cidr), facts)
    problems += [*addressing.problems, *_used_twice(facts)]
    mtu, found = _mtu(order, facts)
    problems += found
    members = tuple(_member(order, addressing, facts.get(s), s) for s in order.sites)
    problems += _gateways(members, facts)
    narrowed = _narrowed(order, addressing, facts)
    return StretchPlan(
        order, segment, cidr, mtu, members, tuple(_actions(order, segment, cidr, members, narrowed)),
        tuple(_notes(order)), tuple(problems), narrowed,
    )  # fmt: skip


def _silence(silent: Mapping[str, str]) -> Iterator[Finding]:
    for site, why in silent.items():
        what = f"it does not tell what it has, so nothing is known to be free there: {why}"
        yield blocking(site, "unknown", what, "make it reachable, or stretch over the other sites")


def _of_site(order: StretchOrder, site: SiteFacts, others: int) -> Iterator[Finding]:
    if not site.admin:
        what = "Multisite's account has no role admin there"
        yield blocking(site.site, "role", what, "give it that: networks with a chosen segment need it")
    needed = {"provider": "it is part of Neutron's ML2: check core_plugin"}
    if order.kind is StretchKind.VXLAN:
        needed["remote-port"] = "install multisite-neutron there, see docs/networks.md"
    for alias, remedy in needed.items():
        if alias not in site.extensions:
            yield blocking(site.site, "extension", f"its Neutron has no extension {alias}", remedy)
    if order.kind is StretchKind.VXLAN and not site.endpoints:
        what = "no host there has an Open vSwitch agent that is alive, tunnels VXLAN and has l2_population"
        remedy = "set [agent] tunnel_types = vxlan and l2_population = true, start the agents"
        yield blocking(site.site, "tunnel endpoint", what, remedy)
    wanted = {"network": 0 if site.adopt else 1, "subnet": 0 if site.adopt else 1, "port": others + 2}
    for resource, count in wanted.items():
        room = site.room.get(resource)
        if room is not None and room < count:
            what = f"the project may have {room} more {resource}s, {count} are needed at once"
            yield blocking(
                site.site, "quota", what, f"openstack quota set --{resource}s ... {site.project_id}"
            )
    yield from _of_adopted(order, site)


def _of_adopted(order: StretchOrder, site: SiteFacts) -> Iterator[Finding]:
    network = site.adopt
    if network is None:
        return
    name = f"network {network.name}"
    if network.kind is not None and network.kind != order.kind:
        remedy = (
            f"adopt a {order.kind} network" if order.kind is StretchKind.VXLAN else f"use kind {network.kind}"
        )
        yield blocking(site.site, "kind", f"it is {network.kind}, not {order.kind} ({name})", remedy)
    if order.segment is not None and network.segment != order.segment:
        what = f"it has {network.segment}, not {order.segment} ({name})"
        yield blocking(site.site, "segment", what, "leave segment out, or adopt another network")
    if len(network.subnets) != 1:
        yield blocking(
            site.site,
            "adopt",
            f"it has {len(network.subnets)} subnets ({name})",
            "one is needed: add or remove some",
        )
    for subnet in network.subnets:
        if order.cidr is not None and subnet.cidr != order.cidr:
            what = f"it has {subnet.cidr}, not {order.cidr} ({name})"
            yield blocking(site.site, "cidr", what, f"say cidr {subnet.cidr}")
    if network.port_security != order.port_security:
        what = f"it is {'on' if network.port_security else 'off'} ({name})"
        yield blocking(site.site, "port_security", what, "ask for the same everywhere")


def _between(order: StretchOrder, facts: Mapping[str, SiteFacts]) -> Iterator[Finding]:
    """What two sites have that only one may have, or what differs between them."""
    sites = list(facts.values())
    for number, one in enumerate(sites):
        for other in sites[number + 1 :]:
            if order.kind is StretchKind.VXLAN and (
                same := sorted(set(one.endpoints) & set(other.endpoints))
            ):
                what = f"sites {one.site} and {other.site}: both have hosts with the tunnel endpoint {', '.join(same)}"
                remedy = "endpoints must differ and reach each other: renumber the hosts of one site"
                yield blocking("", "tunnel endpoint", what, remedy)
            if one.adopt and other.adopt:
                yield from _differing(one, other)


def _differing(one: SiteFacts, other: SiteFacts) -> Iterator[Finding]:
    assert one.adopt is not None
    assert other.adopt is not None
    pairs = (
        ("segment", one.adopt.segment, other.adopt.segment),
        ("cidr", tuple(s.cidr for s in one.adopt.subnets), tuple(s.cidr for s in other.adopt.subnets)),
        ("mtu", one.adopt.mtu, other.adopt.mtu),
    )
    for field, here, there in pairs:
        if here != there:
            what = f"their networks differ: {here} and {there} (sites {one.site} and {other.site})"
            yield blocking("", field, what, "make them equal, or adopt one only")


def _segment(
    order: StretchOrder,
    facts: Mapping[str, SiteFacts],
    silent: Mapping[str, str],
    taken: Collection[int],
    vni_range: tuple[int, int],
) -> tuple[int | None, list[Finding]]:
    adopted = next((f.adopt for f in facts.values() if f.adopt), None)
    chosen = order.segment if adopted is None else adopted.segment
    if order.kind is StretchKind.FLAT:
        return None, []
    if chosen is None and silent:
        return None, []  # unknown there is not free there, and that is said already
    if chosen is None:
        used = set(taken) | {n.segment for f in facts.values() for n in f.networks if n.kind == "vxlan"}
        chosen = next((n for n in range(vni_range[0], vni_range[1] + 1) if n not in used), None)
        if chosen is None:
            what = f"no VNI from {vni_range[0]} to {vni_range[1]} is free in all sites"
            return None, [blocking("", "segment", what, "widen [networks] vni_range, or name one")]
        return chosen, []
    found = [blocking("", "segment", f"{chosen} is another stretched network's", "name another")] * (
        chosen in taken
    )
    for site in facts.values():
        mine = None if site.adopt is None else site.adopt.id
        physical = order.physical_networks.get(site.site)
        for network in site.networks:
            same = network.kind == order.kind and network.segment == chosen
            if same and network.id != mine and (physical is None or network.physical_network == physical):
                what = f"{chosen} is network {network.name or network.id}'s there"
                found.append(blocking(site.site, "segment", what, "name another, or adopt that network"))
    return chosen, found


def _cidr(order: StretchOrder, facts: Mapping[str, SiteFacts]) -> tuple[str, list[Finding]]:
    if order.cidr is not None:
        return order.cidr, []
    for site in facts.values():
        for subnet in site.adopt.subnets if site.adopt else ():
            return subnet.cidr, []
    return "10.0.0.0/24", [blocking("", "cidr", "no adopted network tells it", "give it")]


def _mtu(order: StretchOrder, facts: Mapping[str, SiteFacts]) -> tuple[int | None, list[Finding]]:
    """A site's own VXLAN networks show what it can carry."""
    able = {f.site: max((n.mtu for n in f.networks if n.kind == "vxlan"), default=0) for f in facts.values()}
    adopted = {f.site: f.adopt.mtu for f in facts.values() if f.adopt}
    asked = order.mtu or min(adopted.values(), default=0)
    if not asked:
        return None, []
    found = []
    for site, most in able.items():
        if order.kind is StretchKind.VXLAN and 0 < most < asked:
            what = f"{asked} is more than the {most} of its other networks: it may refuse, and all is undone then"
            remedy = f"ask for mtu {most}, or raise global_physnet_mtu there"
            found.append(Finding(site, "mtu", what, "", remedy, Severity.NOTE))
    for site, has in adopted.items():
        if has != asked:
            remedy = f"openstack network set --mtu {asked}, or leave mtu out"
            found.append(blocking(site, "mtu", f"the adopted network has {has}, not {asked}", remedy))
    return asked, found


def _gateways(members: tuple[Member, ...], facts: Mapping[str, SiteFacts]) -> Iterator[Finding]:
    """An adopted subnet is not changed: its guests were told already."""
    for member in members:
        adopted = facts[member.site].adopt if member.site in facts else None
        for subnet in adopted.subnets if adopted else ():
            if subnet.gateway != member.gateway:
                what = f"its subnet names {subnet.gateway or 'none'}, not {member.gateway or 'none'}"
                remedy = "choose another gateway (none, each or a site), or change the subnet's"
                yield blocking(member.site, "gateway", what, remedy)


def _used_twice(facts: Mapping[str, SiteFacts]) -> Iterator[Finding]:
    """Addresses that guests of two adopted networks have already."""
    for what in used_twice(facts):
        yield blocking("", "duplicate address", what, "readdress one of them")


def used_twice(facts: Mapping[str, SiteFacts]) -> Iterator[str]:
    """A sentence for each address that ports of guests have more than once."""
    owners: dict[str, list[str]] = {}
    for site in facts.values():
        for port in site.ports:
            for address in () if port.is_remote else port.addresses:
                owners.setdefault(address, []).append(f"port {port.id} of site {site.site}")
    for address, who in sorted(owners.items()):
        if len(who) > 1:
            yield f"address {address} is used twice: {', '.join(who)}"


def _mirrorable(site: SiteFacts) -> int:
    return sum(1 for p in site.ports if not p.is_remote and p.endpoint)


def _member(order: StretchOrder, addressing: Addressing, site: SiteFacts | None, name: str) -> Member:
    adopted = site.adopt if site is not None else None
    member = Member(
        name,
        pool=addressing.pools.get(name),
        gateway=addressing.gateways.get(name),
        dhcp=order.dhcp in (EVERYWHERE, name),
        physical_network=order.physical_networks.get(name),
        project_id=site.project_id if site else "",
        tags=site is not None and "tag-ports-during-bulk-creation" in site.extensions,
    )
    if adopted is None or not adopted.subnets:
        return member
    return replace(
        member, adopted=True, network_id=adopted.id, subnet_id=adopted.subnets[0].id, project_id=adopted.project_id,
        dhcp=adopted.subnets[0].dhcp,
    )  # fmt: skip


def _narrowed(
    order: StretchOrder, addressing: Addressing, facts: Mapping[str, SiteFacts]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """Adopted subnets whose pools change, with what they are now."""
    return {
        name: site.adopt.subnets[0].pools
        for name, site in facts.items()
        if site.adopt and site.adopt.subnets and name in order.pools
        and site.adopt.subnets[0].pools != (addressing.pools.get(name),)
    }  # fmt: skip


def _actions(
    order: StretchOrder,
    segment: int | None,
    cidr: str,
    members: tuple[Member, ...],
    narrowed: Collection[str],
) -> Iterator[str]:
    for m in members:
        if m.adopted:
            yield f"adopt network {m.network_id} at {m.site}: it keeps its name and stays when it is unstretched"
        else:
            where = f" on {m.physical_network}" if m.physical_network else ""
            number = "" if segment is None else f" {segment}"
            yield f"create network {order.name} at {m.site}: {order.kind}{number}{where}, {cidr}"
        if m.pool:
            verb = "narrow the allocation pools" if m.site in narrowed else "give out addresses"
            yield f"{verb} at {m.site}: {m.pool[0]} to {m.pool[1]}, so that no two sites give out the same"
    if order.kind is StretchKind.VXLAN:
        yield "make a remote port in each site for every port of the others, and keep them in step"


def _notes(order: StretchOrder) -> Iterator[str]:
    if order.gateway is Gateway.NONE:
        yield "gateway: none; guests leave this network nowhere"
    elif order.gateway is Gateway.SITE:
        yield (
            f"gateway: the router of {order.gateway_site} has the address in all sites' subnets; when that site is "
            "lost, guests elsewhere leave nowhere"
        )
    else:
        yield "gateway: each site's router has an address of its own: no two routers ever answer for one address"
    if order.kind is not StretchKind.VXLAN:
        yield "the sites' switches must carry this segment between them: no API tells that"
    if order.remote_groups is RemoteGroups.SAME_NAMES and order.port_security:
        yield "security groups: a remote port is in the project's groups that are called as those of its real port"
    elif order.port_security:
        yield "security groups: remote ports are in none; rules have to let the other sites in by address"
