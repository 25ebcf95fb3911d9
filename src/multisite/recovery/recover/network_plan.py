"""Networks, subnets, security groups and ports of a recovery: created anew, or taken from what is at the target."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace

from multisite.domain.manifest import (
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    SubnetRecord,
)
from multisite.recovery.recover import virtual_ips
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.extensions import possible, possible_port
from multisite.recovery.recover.mapping import mapped
from multisite.recovery.recover.model import (
    PlannedAddress,
    PlannedGroup,
    PlannedNetwork,
    PlannedPort,
    PlannedSubnet,
)
from multisite.recovery.recover.passthrough import possible_nic
from multisite.recovery.recover.segments import refuse_segment
from multisite.recovery.recover.target_facts import TargetGroup, TargetNetwork, TargetSubnet

DEFAULT_GROUP = "default"


def plan_networks(draft: Draft) -> tuple[PlannedNetwork, ...]:
    """New networks with the source's subnets, unless the operator maps them to existing ones."""
    if not draft.needs("networks", "networks"):
        return ()
    found = (_network(draft, number, record) for number, record in enumerate(draft.manifest.networks, 1))
    return tuple(found)


def _network(draft: Draft, number: int, record: NetworkRecord) -> PlannedNetwork:
    subnets = [s for s in draft.manifest.subnets if s.network_id == record.id]
    wanted = mapped(draft.rules.networks, record.id, record.name)
    name = mapped(draft.rules.network_names, record.id, record.name) or record.name
    there: TargetNetwork | None = None
    if wanted is not None:
        there = draft.find(draft.facts.networks, wanted, f"network {record.name}", "networks")
    elif record.external or record.shared:
        _provided(draft, record)
    else:
        _collisions(draft, record, name, subnets)
    if there is not None:
        planned = _existing_subnets(draft, number, record, there, subnets)
        draft.use(
            "network",
            record.name,
            there.id,
            f"{there.name!r}: mapped by the operator, it stays after an undo",
        )
    else:
        if wanted is None and not (record.external or record.shared):
            refuse_segment(draft, record)
            record = possible(draft, f"network {name}", record)
            subnets = [possible(draft, f"subnet {s.name or s.cidr}", s) for s in subnets]
            _announce(draft, record, name, subnets)
        planned = tuple(PlannedSubnet(f"subnet-{number}-{n}", None, s) for n, s in enumerate(subnets, 1))
    step = f"network-{number}"
    return PlannedNetwork(step, f"dhcp-{number}", name, there.id if there else None, record, planned)


def _announce(draft: Draft, record: NetworkRecord, name: str, subnets: Iterable[SubnetRecord]) -> None:
    renamed = f", called {record.name!r} in the source" if name != record.name else ""
    draft.create("network", name, f"no rule maps it to an existing one{renamed}")
    for subnet in subnets:
        gateway = f"gateway {subnet.gateway_address}" if subnet.gateway_address else "no gateway"
        draft.create(
            "subnet",
            subnet.name or subnet.cidr,
            f"{subnet.cidr}, {gateway}, DHCP {'on' if subnet.dhcp else 'off'}",
        )


def _provided(draft: Draft, record: NetworkRecord) -> None:
    kind = "an external" if record.external else "a shared"
    same = [n.id for n in draft.facts.networks if n.name == record.name]
    remedy = f"say which one of {draft.facts.site} to use: {draft.option('networks', record.id, record.name)}"
    if same:
        remedy += f"; {record.name!r} there is {' or '.join(same)}"
    draft.problem(
        f"network {record.name}",
        f"is {kind} network of the source: the provider makes those, a recovery does not",
        remedy,
    )


def _collisions(draft: Draft, record: NetworkRecord, name: str, subnets: Iterable[SubnetRecord]) -> None:
    facts, subject = draft.facts, f"network {name}"
    visible = [n for n in facts.networks if n.project_id == facts.project_id or n.shared]
    for other in visible:
        if other.name == name:
            cidrs = ", ".join(s.cidr for s in other.subnets) or "no subnet"
            draft.problem(
                subject,
                f"a network of this name is at {facts.site} already: {other.id} ({cidrs})",
                f"use it: {draft.option('networks', record.id, record.name, other.id)}, or make another: "
                + draft.option("network_names", record.id, record.name, f"{name}-recovered"),
            )
    for subnet in subnets:
        for other in visible:
            for theirs in other.subnets:
                if other.name != name and _overlap(subnet.cidr, theirs.cidr):
                    draft.note(
                        subject,
                        f"subnet {subnet.cidr} overlaps {theirs.cidr} of network {other.name!r}",
                        "nothing to do unless both shall be connected to one router: then map one of them",
                    )


def _overlap(one: str, other: str) -> bool:
    a, b = ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    return a.version == b.version and a.overlaps(b)


def _existing_subnets(
    draft: Draft, number: int, record: NetworkRecord, there: TargetNetwork, subnets: Iterable[SubnetRecord]
) -> tuple[PlannedSubnet, ...]:
    """Subnets of the existing network that hold the addresses; those no port needs are left out."""
    planned = []
    for n, subnet in enumerate(subnets, 1):
        addresses = _addresses_in(draft, subnet.id)
        if not addresses or not draft.rules.keep_addresses:
            continue
        match = _holding(there.subnets, subnet, addresses)
        if match is None:
            draft.problem(
                f"network {record.name}",
                f"no subnet of {there.name!r} at {draft.facts.site} holds {', '.join(addresses)}",
                "map it to a network with such a subnet, or take new addresses: "
                'mapping {"keep_addresses": false}',
            )
        else:
            planned.append(PlannedSubnet(f"subnet-{number}-{n}", match.id, subnet))
    return tuple(planned)


def _addresses_in(draft: Draft, subnet_id: str) -> list[str]:
    return [a.address for p in draft.manifest.ports for a in p.fixed_addresses if a.subnet_id == subnet_id]


def _holding(
    there: Iterable[TargetSubnet], subnet: SubnetRecord, addresses: list[str]
) -> TargetSubnet | None:
    def holds(candidate: TargetSubnet) -> bool:
        net = ipaddress.ip_network(candidate.cidr, strict=False)
        return all(ipaddress.ip_address(a) in net for a in addresses)

    fitting = sorted((s for s in there if holds(s)), key=lambda s: (s.cidr != subnet.cidr, s.id))
    return fitting[0] if fitting else None


def plan_ports(draft: Draft, networks: Iterable[PlannedNetwork]) -> tuple[PlannedPort, ...]:
    """Every port with its addresses and MAC; in existing networks they must be free.

    Then one for each virtual IP that has none, where DHCP of a new subnet might take it.
    """
    by_source = {n.record.id: n for n in networks}
    planned = [
        _port(draft, number, record, by_source) for number, record in enumerate(draft.manifest.ports, 1)
    ]
    for record in virtual_ips.unreserved(draft, by_source.values()):
        planned.append(virtual_ips.reserve(draft, len(planned) + 1, record))
    return tuple(planned)


def _port(
    draft: Draft, number: int, record: PortRecord, networks: Mapping[str, PlannedNetwork]
) -> PlannedPort:
    network = networks.get(record.network_id)
    shown = _shown(draft, record)
    record = possible_port(draft, f"port {shown}", possible_nic(draft, record, network))
    if network is not None and network.use is not None and not draft.rules.keep_addresses:
        draft.create("port", shown, f"in {network.name}: new address and MAC, as the operator allows")
        return PlannedPort(f"port-{number}", None, (), record)
    if network is not None and network.use is not None and draft.needs("ports", "ports"):
        _must_be_free(draft, record, network.use, shown)
    addresses = tuple(
        PlannedAddress(a.subnet_id, _fixed(draft, a.subnet_id, a.address)) for a in record.fixed_addresses
    )
    kept = ", ".join(a.address for a in record.fixed_addresses) or "no address"
    why = _why(draft, record.id)
    draft.create("port", shown, f"same addresses: {kept}, {record.mac_address}{why}")
    return PlannedPort(f"port-{number}", record.mac_address, addresses, record)


def _why(draft: Draft, port_id: str) -> str:
    """Why a port that no server has is made."""
    if any(port_id in s.port_ids for s in draft.manifest.servers):
        return ""
    if any(port_id == one.port_id for t in draft.manifest.trunks for one in t.subports):
        return "; it is a subport of a trunk"
    return "; it keeps a virtual IP of the servers"


def _fixed(draft: Draft, subnet_id: str, address: str) -> str | None:
    """The address to ask for.  Neutron refuses explicit ones where it derives them from the MAC: the same
    MAC in the same subnet gives the same address there (checked once the port exists).
    """
    subnet = next((s for s in draft.manifest.subnets if s.id == subnet_id), None)
    derived = subnet is not None and subnet.ipv6_address_mode in ("slaac", "dhcpv6-stateless")
    return None if derived else address


def _must_be_free(draft: Draft, record: PortRecord, network_id: str, shown: str) -> None:
    remedy = 'free it there, map to another network, or take new ones: mapping {"keep_addresses": false}'
    wanted = {a.address for a in record.fixed_addresses}
    for port in draft.facts.ports:
        if port.network_id != network_id:
            continue
        holder = f"port {port.id}" if port.id else "a port of another project"
        holder += f" ({port.owner})" if port.owner else ""
        for address in sorted(wanted & set(port.addresses)):
            draft.problem(
                f"port {shown}", f"address {address} is in use at {draft.facts.site} by {holder}", remedy
            )
        if port.mac_address.lower() == record.mac_address.lower():
            draft.problem(
                f"port {shown}",
                f"MAC {record.mac_address} is in use at {draft.facts.site} by {holder}",
                remedy,
            )


def _shown(draft: Draft, record: PortRecord) -> str:
    owner = next((s.name for s in draft.manifest.servers if record.id in s.port_ids), None)
    name = record.name or record.mac_address
    return f"{name} of {owner}" if owner else name


def plan_groups(draft: Draft) -> tuple[tuple[PlannedGroup, ...], dict[str, str]]:
    """Security groups, and target ids of groups their rules only refer to."""
    if not draft.manifest.security_groups or not draft.needs("security_groups", "security groups"):
        return (), {}
    groups = tuple(
        _group(draft, number, record) for number, record in enumerate(draft.manifest.security_groups, 1)
    )
    return groups, _remote_groups(draft)


def _group(draft: Draft, number: int, record: SecurityGroupRecord) -> PlannedGroup:
    step, facts = f"group-{number}", draft.facts
    wanted = mapped(draft.rules.security_groups, record.id, record.name)
    if wanted is not None:
        there = draft.find(facts.security_groups, wanted, f"security group {record.name}", "security_groups")
        if there is not None:
            draft.use(
                "security group",
                record.name,
                there.id,
                f"{there.name!r}: mapped by the operator, its rules are not touched",
            )
        return PlannedGroup(step, there.id if there else None, record, record.name)
    name, reason = _group_name(draft, record)
    # A shared one is its owner's to change: only who names it wants it.
    same = [g for g in facts.security_groups if g.name == name and g.project_id == facts.project_id]
    equal = next((g for g in same if _same_rules(draft, record, g)), None)
    if equal is not None:
        draft.use("security group", name, equal.id, "the target has it with the same rules")
        return PlannedGroup(step, equal.id, record, name)
    if same:
        draft.problem(
            f"security group {name}",
            f"{facts.site} has one of this name with other rules: {same[0].id}",
            f"use it: {draft.option('security_groups', record.id, record.name, same[0].id)}, or make another: "
            + draft.option("security_group_names", record.id, record.name, f"{name}-recovered"),
        )
    draft.create("security group", name, f"{len(record.rules)} rules{reason}")
    return PlannedGroup(step, None, record, name)


def _group_name(draft: Draft, record: SecurityGroupRecord) -> tuple[str, str]:
    renamed = mapped(draft.rules.security_group_names, record.id, record.name)
    if renamed is not None:
        return renamed, f", called {record.name!r} in the source"
    if record.name == DEFAULT_GROUP:
        # Neutron makes one "default" per project and others may rely on its rules: giving it the source's
        # rules would open their servers too.
        return (
            f"{draft.manifest.application}-{DEFAULT_GROUP}",
            ", those of the source's default group: the target's own stays as it is",
        )
    return record.name, ""


def _same_rules(draft: Draft, record: SecurityGroupRecord, there: TargetGroup) -> bool:
    ours = {g.id: g.name for g in draft.manifest.security_groups} | {record.id: ""}
    theirs = {g.id: g.name for g in draft.facts.security_groups} | {there.id: ""}
    return {_comparable(r, ours) for r in record.rules} == {_comparable(r, theirs) for r in there.rules}


def _comparable(rule: SecurityGroupRule, names: Mapping[str, str]) -> SecurityGroupRule:
    remote = rule.remote_group_id
    return replace(rule, description="", remote_group_id=names.get(remote, remote) if remote else None)


def _remote_groups(draft: Draft) -> dict[str, str]:
    own = {g.id for g in draft.manifest.security_groups}
    found: dict[str, str] = {}
    for group in draft.manifest.security_groups:
        for remote in sorted(
            {r.remote_group_id for r in group.rules if r.remote_group_id} - own - found.keys()
        ):
            wanted = draft.rules.security_groups.get(remote)
            subject = f"security group {group.name}"
            if wanted is None:
                draft.problem(
                    subject,
                    f"a rule lets in members of group {remote}, which is not part of the restore point",
                    f"say which group of {draft.facts.site} stands for it: "
                    + draft.option("security_groups", remote, remote),
                )
            elif (
                there := draft.find(draft.facts.security_groups, wanted, subject, "security_groups")
            ) is not None:
                found[remote] = there.id
    return found
