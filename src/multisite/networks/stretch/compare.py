"""What of the sites' parts of a stretched network is not as it has to be; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from multisite.clouds.stretched import NetworkFact, SiteFacts
from multisite.domain.model import Problem
from multisite.domain.stretched import Member, StretchedNetwork, StretchKind


def compared(
    network: StretchedNetwork, facts: Mapping[str, SiteFacts], silent: Mapping[str, str]
) -> list[Problem]:
    """``facts`` with each site's own part as ``adopt``, None when it has none any more.

    A silent site is a problem that blocks nothing: unknown.
    """
    found = [
        Problem(
            f"site {site}",
            f"unknown: {why}",
            "nothing is changed there or removed elsewhere meanwhile",
            blocking=False,
        )
        for site, why in silent.items()
    ]
    for member in network.members:
        site = facts.get(member.site)
        if site is not None and site.adopt is not None:
            found += _part(network, member, site, site.adopt)
        elif site is not None and member.network_id:
            what = f"network {member.network_id} is gone, or our credentials do not see it any more"
            found.append(Problem(f"site {member.site}", what, "unstretch it and stretch it anew"))
    found += _twice(facts)
    return found


def _part(network: StretchedNetwork, member: Member, site: SiteFacts, part: NetworkFact) -> Iterator[Problem]:
    name = f"network {part.name} of site {member.site}"
    wanted = (
        ("kind", part.kind, str(network.kind)),
        ("segment", part.segment, network.segmentation_id),
        ("mtu", part.mtu, network.mtu),
        ("port_security", part.port_security, network.port_security),
    )
    for field, has, should in wanted:
        if has != should:
            yield Problem(name, f"{field}: it is {has}, not {should}", "set it back, or stretch it anew")
    subnet = next((s for s in part.subnets if s.cidr == network.cidr), None)
    if subnet is None:
        yield Problem(name, f"cidr: it has no subnet {network.cidr}", "guests there reach nobody elsewhere")
    elif subnet.gateway != member.gateway:
        what = f"gateway: its subnet names {subnet.gateway or 'none'}, not {member.gateway or 'none'}"
        yield Problem(name, what, "set it back")
    elif member.pool is not None and subnet.pools != (member.pool,):
        pools = ", ".join(f"{a}-{b}" for a, b in subnet.pools)
        yield Problem(
            name, f"pools: they are {pools}, not {member.pool[0]}-{member.pool[1]}", "set them back"
        )
    if network.kind is StretchKind.VXLAN:
        if "remote-port" not in site.extensions:
            yield Problem(
                f"site {member.site}", "its Neutron has no extension remote-port any more", "load the driver"
            )
        if not site.endpoints:
            yield Problem(
                f"site {member.site}", "no host there tunnels VXLAN with l2_population", "look at its agents"
            )


def _twice(facts: Mapping[str, SiteFacts]) -> Iterator[Problem]:
    owners: dict[str, list[str]] = {}
    for site in facts.values():
        for port in site.ports:
            if not port.is_remote:
                for address in port.addresses:
                    owners.setdefault(address, []).append(f"port {port.id} of {site.site}")
    for address, who in sorted(owners.items()):
        if len(who) > 1:
            yield Problem(
                "network", f"address {address} is used twice: {', '.join(who)}", "readdress one of them"
            )
