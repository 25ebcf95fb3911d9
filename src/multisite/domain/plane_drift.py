"""Whether what was made of a plane still is as it was made: what a site says of it, and what is wrong with that.

Pure.  Compared are networks, subnets, routers and their interfaces; not the ports of guests, their security groups and
floating IPs (``path check`` looks at those of L3 paths), nor whether agents work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from multisite.domain import findings
from multisite.domain.findings import Comparison, Finding
from multisite.domain.planes import MadeAt, PlaneRecord, Realized


@dataclass(frozen=True)
class NetworkSeen:
    """``up``: its administrative state."""

    up: bool
    mtu: int


@dataclass(frozen=True)
class SubnetSeen:
    cidr: str
    gateway: str | None
    dhcp: bool


@dataclass(frozen=True)
class RouterSeen:
    """``external_id``: the network its gateway is in, None without a gateway."""

    up: bool
    external_id: str | None


@dataclass(frozen=True)
class Holder:
    """A port that has an address: ``what`` in words; ``router``: whether it is a router's."""

    what: str
    router: bool


@dataclass(frozen=True)
class PlaneSiteState:
    """What one site says of a plane, complete; ``known`` False: it did not tell (``why``), and the rest says nothing.

    None: the site answered and has no such thing that our credentials see.  ``other_*``: what is called the same in the
    same project without having been made by Multisite (subnets: the others of the network, id and CIDR).
    ``interface``: the address of the router's port in the subnet.  ``holders``: the other ports, by address.
    """

    site: str
    known: bool
    why: str = ""
    network: NetworkSeen | None = None
    other_networks: tuple[str, ...] = ()
    subnet: SubnetSeen | None = None
    other_subnets: tuple[tuple[str, str], ...] = ()
    router: RouterSeen | None = None
    other_routers: tuple[str, ...] = ()
    interface: str | None = None
    holders: Mapping[str, Holder] = field(default_factory=dict)


def judge(application: str, record: PlaneRecord, states: Sequence[PlaneSiteState]) -> Comparison:
    """Compare a plane of networks of its own with what its sites say; a site without a state is unknown."""
    seen = {state.site: state for state in states}
    silent = PlaneSiteState("", known=False, why="nobody asked it")
    return Comparison(
        tuple(d for site in record.sites for d in of_site(application, record, site, seen.get(site, silent)))
    )


def unknown(site: str, why: str) -> Finding:
    return findings.unknown(site, why, "nobody knows whether the plane is there")


def of_site(application: str, record: PlaneRecord, site: str, state: PlaneSiteState) -> list[Finding]:
    """In the order in which a repair has to go about it."""
    made = record.made.get(site)
    if made is None:
        what, remedy = "there is no record of what was made there", "remove the plane and realize it again"
        return [Finding(site, "not made", what, "nothing there is looked after", remedy)]
    if not state.known:
        return [unknown(site, state.why)]
    repair = f"openstack multisite application plane repair {application} {record.name}"
    return list(_OfSite(repair, record, made, state, site).drift())


@dataclass(frozen=True)
class _OfSite:
    repair: str
    record: PlaneRecord
    made: MadeAt
    state: PlaneSiteState
    site: str

    def drift(self) -> Iterator[Finding]:
        if self.state.network is None:
            yield self._gone("network", self.made.network_id, self.state.other_networks,
                             "guests have no network of this plane there")  # fmt: skip
        else:
            yield from self._of_network(self.state.network)
            if self.state.subnet is None:
                others = [f"{id} ({cidr})" for id, cidr in self._rivals()]
                yield self._gone(
                    "subnet", self.made.subnet_id, others, "guests get no address in this plane there"
                )
            else:
                yield from self._of_subnet(self.state.subnet)
        if self.record.realized is Realized.L3:
            yield from self._of_router()

    def _of_network(self, network: NetworkSeen) -> Iterator[Finding]:
        id = self.made.network_id
        if not network.up:
            yield self._repairable("network down", f"network {id} is administratively down",
                                 "guests reach nobody in this plane there")  # fmt: skip
        if self.made.mtu is not None and network.mtu != self.made.mtu:
            yield self._told(
                "mtu changed",
                f"the MTU of network {id} is {network.mtu}, it was made with {self.made.mtu}",
                "guests that learned the old one and guests that learn the new one lose large frames between them",
                f"openstack network set --mtu {self.made.mtu} {id}, and have guests renew theirs",
            )

    def _of_subnet(self, subnet: SubnetSeen) -> Iterator[Finding]:
        id, should = self.made.subnet_id, self._gateway()
        if subnet.cidr != self.made.cidr:
            yield self._told("cidr changed", f"subnet {id} is {subnet.cidr}, it was made as {self.made.cidr}",
                             "routes and rules for the old addresses lead nowhere",
                             "remove the plane and realize it again")  # fmt: skip
            return
        if subnet.gateway != should:
            yield self._of_gateway(subnet.gateway, should)
        if not subnet.dhcp:
            so = "new guests, and those that renew, get no address"
            yield self._told(
                "dhcp off", f"DHCP of subnet {id} is off", so, f"openstack subnet set --dhcp {id}"
            )

    def _of_gateway(self, has: str | None, should: str | None) -> Finding:
        what = (
            f"subnet {self.made.subnet_id} names gateway {has or 'none'}, it was made with {should or 'none'}"
        )
        so = (
            "guests get a default route into this plane, and may lose the one they need" if should is None
            else "guests that renew their address lose their way out"
        )  # fmt: skip
        ours = Holder(f"router {self.made.router_id}", router=True) if has == self.state.interface else None
        holder = ours or self.state.holders.get(has or "")
        if has is None or holder is None or not holder.router:
            return self._repairable("gateway changed", what, so)
        remedy = (
            f"{holder.what} is at {has}, so Neutron keeps it the gateway: detach that, then {self.repair}"
        )
        return self._told("gateway changed", what, so, remedy)

    def _of_router(self) -> Iterator[Finding]:
        alone = "its guests there are cut off from the other sites: no floating IP of theirs works"
        router, id = self.state.router, self.made.router_id
        if router is None:
            yield self._gone("router", str(id), self.state.other_routers, alone)
            return
        if not router.up:
            yield self._repairable("router down", f"router {id} is administratively down", alone)
        external = self.made.external_id
        if router.external_id is None:
            yield self._repairable(
                "external gateway missing", f"router {id} has no gateway in an external network", alone
            )
        elif external is not None and router.external_id != external:
            yield self._told(
                "external gateway changed",
                f"the gateway of router {id} is in network {router.external_id}, it was made in {external}",
                "members are reached, if at all, by other addresses than those of their paths",
                f"openstack router set --external-gateway {external} {id}",
            )
        if self.state.network is not None and self.state.subnet is not None:
            yield from self._of_interface(alone)

    def _of_interface(self, alone: str) -> Iterator[Finding]:
        at, should, id = self.state.interface, self._gateway(), self.made.router_id
        if at is None:
            holder = self.state.holders.get(should or "")
            what = f"router {id} has no interface in subnet {self.made.subnet_id}"
            if holder is None:
                yield self._repairable("interface missing", what, alone)
            else:
                remedy = f"its address {should} is taken by {holder.what}: have that let go of it, then {self.repair}"
                yield self._told("interface missing", what, alone, remedy)
        elif at != should:
            remedy = f"openstack router remove subnet {id} {self.made.subnet_id}, then {self.repair}"
            yield self._told(
                "interface elsewhere", f"router {id} is at {at}, guests are told {should}", alone, remedy
            )

    def _gone(self, noun: str, id: str, others: Sequence[str], so: str) -> Finding:
        if not others:
            return self._repairable(
                f"{noun} gone", f"{noun} {id} is gone, or our credentials do not see it any more", so
            )
        listed = ", ".join(others)
        return self._told(
            f"{noun} replaced",
            f"{noun} {id} is gone, and somebody made another one: {listed}",
            f"{so}; in the other one they are outside of this plane's care",
            f"move its guests away and delete {listed}, then {self.repair}",
        )

    def _rivals(self) -> Iterator[tuple[str, str]]:
        """Subnets of the network that keep ours from being made again: Neutron refuses overlaps in a network."""
        ours = ip_network(self.made.cidr)
        for id, cidr in self.state.other_subnets:
            other = ip_network(cidr)
            if other.version == ours.version:
                yield id, cidr

    def _gateway(self) -> str | None:
        """Neutron's own choice, the first address (neutron/common/utils.py: get_first_host_ip), or none."""
        return str(ip_network(self.made.cidr)[1]) if self.record.plane.has_gateway else None

    def _repairable(self, kind: str, what: str, so: str) -> Finding:
        return Finding(self.site, kind, what, so, self.repair, repairable=True)

    def _told(self, kind: str, what: str, so: str, remedy: str) -> Finding:
        return Finding(self.site, kind, what, so, remedy)
