"""What of the sites' parts of a stretched network is not as it has to be; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from multisite.clouds.stretched import NetworkFact, SiteFacts
from multisite.domain.findings import Comparison, Finding, unknown
from multisite.domain.stretched import Member, StretchedNetwork, StretchKind
from multisite.networks.stretch.plan import used_twice

CONSEQUENCE = "the sites' parts do not make one network as they should"


def compared(
    network: StretchedNetwork, facts: Mapping[str, SiteFacts], silent: Mapping[str, str]
) -> Comparison:
    """``facts`` with each site's own part as ``adopt``, None when it has none any more; a silent site is unknown."""
    kept = "nothing is changed there, and what stands for its ports elsewhere is kept"
    found = [unknown(site, why, kept) for site, why in silent.items()]
    for member in network.members:
        site = facts.get(member.site)
        if site is not None and site.adopt is not None:
            found += _part(network, member, site, site.adopt)
        elif site is not None and member.network_id:
            what = f"network {member.network_id} is gone, or our credentials do not see it any more"
            found.append(_differs(member.site, "network gone", what, "unstretch it and stretch it anew"))
    found += [_differs("", "duplicate address", what, "readdress one of them") for what in used_twice(facts)]
    return Comparison(tuple(found))


def _part(network: StretchedNetwork, member: Member, site: SiteFacts, part: NetworkFact) -> Iterator[Finding]:
    name, where = f"(network {part.name})", member.site
    wanted = (
        ("kind", part.kind, str(network.kind)),
        ("segment", part.segment, network.segmentation_id),
        ("mtu", part.mtu, network.mtu),
        ("port_security", part.port_security, network.port_security),
    )
    for field, has, should in wanted:
        if has != should:
            yield _differs(
                where, field, f"it is {has}, not {should} {name}", "set it back, or stretch it anew"
            )
    subnet = next((s for s in part.subnets if s.cidr == network.cidr), None)
    if subnet is None:
        remedy = "unstretch it and stretch it anew: guests there reach nobody elsewhere"
        yield _differs(where, "cidr", f"it has no subnet {network.cidr} {name}", remedy)
    elif subnet.gateway != member.gateway:
        what = f"its subnet names {subnet.gateway or 'none'}, not {member.gateway or 'none'} {name}"
        yield _differs(where, "gateway", what, "set it back")
    elif member.pool is not None and subnet.pools != (member.pool,):
        pools = ", ".join(f"{a}-{b}" for a, b in subnet.pools)
        what = f"they are {pools}, not {member.pool[0]}-{member.pool[1]} {name}"
        yield _differs(where, "pools", what, "set them back")
    if network.kind is StretchKind.VXLAN:
        if "remote-port" not in site.extensions:
            what = "its Neutron has no extension remote-port any more"
            yield _differs(where, "extension", what, "load the driver")
        if not site.endpoints:
            what = "no host there tunnels VXLAN with l2_population"
            yield _differs(where, "tunnel endpoint", what, "look at its agents")


def _differs(site: str, kind: str, what: str, remedy: str) -> Finding:
    return Finding(site, kind, what, CONSEQUENCE, remedy)
