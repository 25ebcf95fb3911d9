"""Whether members in two sites would reach each other while they are moved one by one; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest, NetworkRecord
from multisite.domain.stretched import StretchedNetwork, StretchKind, StretchState
from multisite.recovery.recover.mapping import Rules, mapped


@dataclass(frozen=True)
class Split:
    """``networks``: rules for those that are stretched, source id -> id of their part at the target.

    ``problems``: what would part the members.
    """

    networks: Mapping[str, str]
    problems: tuple[Finding, ...]


def split(manifest: Manifest, target_site: str, rules: Rules, stretched: Sequence[StretchedNetwork]) -> Split:
    """Each network that several members have ports in must be stretched over both sites, unless the operator accepts
    that it is not.  One that is has its own part at the target, which no rule has to name.
    """
    networks: dict[str, str] = {}
    problems: list[Finding] = []
    shared = _shared(manifest)
    for record in manifest.networks:
        parts = _parts(record, manifest, target_site, stretched)
        wanted = mapped(rules.networks, record.id, record.name)
        if parts is None:
            if record.id in shared and not rules.accept_split:
                problems.append(_not_stretched(record, manifest.source.name, target_site))
            continue
        network, there = parts
        named = mapped(rules.network_names, record.id, record.name)
        if wanted is None and named is None:
            networks[record.id] = there
        elif (wanted not in (there, network.name) or named is not None) and not rules.accept_split:
            problems.append(_mapped_away(record, network, named or str(wanted), target_site))
            continue
        problems += _unusable(record, network, manifest, target_site, rules)
    return Split(networks, tuple(problems))


def _shared(manifest: Manifest) -> set[str]:
    """Networks in which several of the servers have a port."""
    network_of = {port.id: port.network_id for port in manifest.ports}
    its = [{network_of[p] for p in server.port_ids if p in network_of} for server in manifest.servers]
    return {network for network in set(network_of.values()) if sum(network in one for one in its) > 1}


def _parts(
    record: NetworkRecord, manifest: Manifest, target: str, stretched: Sequence[StretchedNetwork]
) -> tuple[StretchedNetwork, str] | None:
    """The stretched network that it is a part of, and the id of the part at the target.

    Of a network that others let this project use only what this project has stretched: nothing is told of theirs.
    """
    source, provided = manifest.source.name, record.shared or record.external
    for network in stretched:
        if provided and network.project_id != manifest.project_id:
            continue
        parts = {member.site: member.network_id for member in network.members}
        there = parts.get(target)
        if parts.get(source) == record.id and there:
            return network, there
    return None


def _not_stretched(record: NetworkRecord, source: str, target: str) -> Finding:
    return blocking(
        target,
        f"network {record.name or record.id}",
        f"it is in {source} alone: while the members are moved one by one, those in {target} would not reach the "
        "others over it",
        f"stretch it: openstack multisite network stretch {record.name or record.id} --site {source} --site {target} "
        f"--adopt {source}={record.id}; or accept that they are parted (--accept-split)",
    )


def _mapped_away(record: NetworkRecord, network: StretchedNetwork, wanted: str, target: str) -> Finding:
    return blocking(
        target,
        f"network {record.name or record.id}",
        f"it is part of the stretched network {network.name}, and a rule says {wanted!r}, which is not its part in "
        f"{target}",
        "leave that rule out, or accept that the members are parted (--accept-split)",
    )


def _unusable(
    record: NetworkRecord, network: StretchedNetwork, manifest: Manifest, target: str, rules: Rules
) -> Iterator[Finding]:
    subject = f"network {record.name or record.id}"
    if network.state is not StretchState.ACTIVE:
        yield blocking(
            target,
            subject,
            f"the stretched network {network.name} is {network.state}",
            f"see openstack multisite network show {network.name}, and wait until it is active",
        )
    kept = rules.keep_addresses and any(p.network_id == record.id for p in manifest.ports)
    if network.kind is StretchKind.VXLAN and kept:
        yield blocking(
            target,
            subject,
            f"{network.name} is stretched by remote ports: the addresses and MACs of the ports in "
            f"{manifest.source.name} are taken in {target} by what stands for them, as long as these ports are there",
            "take new addresses from the target's pool (--new-addresses), move all members together (without "
            "--one-by-one), or stretch it over the sites' own switches (network stretch --kind vlan)",
        )
