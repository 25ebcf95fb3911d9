"""Which thing at the target is which of the source: by following what is attached to what.

It begins with the ports of servers, which keep their MAC addresses, and goes from each pair to what the two refer to
and to what refers to them.  What hangs on one of them only is a difference.  Names decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.odd.saved import Row, Saved

Link = tuple[str, str, str]
"""What tells it apart from the others there, its kind, its id."""
DHCP, INTERFACE = "network:dhcp", "network:router_interface"


@dataclass
class Pairs:
    """``by_id``: source id -> target id; ``alone``: kind, id, side ("source" or "target") and what it hangs on."""

    source: Saved
    target: Saved
    by_id: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    alone: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, kind: str, one: str, other: str) -> None:
        """Pair two things and what hangs on them; two that are paired otherwise are both alone."""
        waiting = [(kind, one, other)]
        while waiting:
            kind, one, other = waiting.pop()
            known, taken = self.by_id.get(one), other in self.by_id.values()
            if known == other:
                continue
            if other not in self.target[kind] or one not in self.source[kind]:
                self._mark(kind, one, "source", "refers to what is not there")
                continue
            if known is not None or taken:
                self._mark(kind, one, "source", f"is another {kind} than elsewhere")
                continue
            self.by_id[one], self.kinds[one] = other, kind
            waiting += self._linked(kind, one, other)

    def _linked(self, kind: str, one: str, other: str) -> Iterator[tuple[str, str, str]]:
        here = _table(LINKS[kind](self.source, self.source[kind][one]))
        there = _table(LINKS[kind](self.target, self.target[kind][other]))
        on = f"{kind} {shown(kind, self.source[kind][one])}"
        for key in sorted(here.keys() & there.keys()):
            (what, mine), (_, its) = here.pop(key), there.pop(key)
            yield what, mine, its
        for key in sorted(here):  # what was changed is a thing that differs, not two things
            what, mine = here[key]
            like = next((k for k, (other, _) in sorted(there.items()) if other == what), None)
            if like is None:
                self._mark(what, mine, "source", on)
            else:
                yield what, mine, there.pop(like)[1]
        for what, its in there.values():
            self._mark(what, its, "target", on)

    def _mark(self, kind: str, which: str, side: str, on: str) -> None:
        if (kind, which, side) not in {row[:3] for row in self.alone}:
            self.alone.append((kind, which, side, on))


def _table(links: Iterator[Link]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for key, kind, which in links:
        number = 0
        while f"{kind} {key} {number}" in found:  # things that nothing tells apart: any of them is as good
            number += 1
        found[f"{kind} {key} {number}"] = (kind, which)
    return found


def shown(kind: str, row: Row) -> str:
    """As an operator would call it."""
    found = row.get("floating_ip_address") if kind == "floating IP" else row.get("name") or row.get("cidr")
    return str(found or row["id"])


def follow(source: Saved, target: Saved) -> Pairs:
    """Beginning with every server's ports."""
    pairs = Pairs(source, target)
    macs = {
        row["mac_address"]: row for row in target["port"].values() if row["device_id"] in target["server"]
    }
    for row in source["port"].values():
        if row["device_id"] in source["server"]:
            if (there := macs.get(row["mac_address"])) is None:
                pairs.alone.append(("port", row["id"], "source", "its server"))
            else:
                pairs.add("port", row["id"], there["id"])
    for server in source["server"].keys() - pairs.by_id.keys():
        pairs.alone.append(("server", server, "source", "the application"))
    return pairs


def _server(site: Saved, row: Row) -> Iterator[Link]:
    for port in site["port"].values():
        if port["device_id"] == row["id"] and port["device_owner"].startswith("compute:"):
            yield port["mac_address"], "port", port["id"]
    for number, one in enumerate(row["attachments"]):
        yield str(number), "volume", one["volumeId"]
    for flavor in site["flavor"].values():
        if flavor["name"] == row["flavor"]["original_name"]:
            yield "", "flavor", flavor["id"]
    for group in site["server group"].values():
        if row["id"] in group["members"]:
            yield "", "server group", group["id"]
    if row["key_name"]:
        yield "", "key pair", f"{row['user_id']}/{row['key_name']}"


def _port(site: Saved, row: Row) -> Iterator[Link]:
    if row["device_id"] in site["server"]:
        yield "", "server", row["device_id"]
    elif row["device_owner"] == INTERFACE:
        yield "", "router", row["device_id"]
    yield "", "network", row["network_id"]
    for one in row["fixed_ips"]:
        yield one["ip_address"], "subnet", one["subnet_id"]
    for group in row["security_groups"]:
        yield essence(site, group), "security group", group
    yield from _policy(row)
    for fip in site["floating IP"].values():
        if fip["port_id"] == row["id"]:
            yield str(fip["fixed_ip_address"]), "floating IP", fip["id"]
    for trunk in site["trunk"].values():
        if trunk["port_id"] == row["id"]:
            yield "", "trunk", trunk["id"]


def _policy(row: Row) -> Iterator[Link]:
    if row.get("qos_policy_id"):
        yield "", "QoS policy", row["qos_policy_id"]


def _network(site: Saved, row: Row) -> Iterator[Link]:
    for subnet in row["subnets"]:
        if subnet in site["subnet"]:
            yield site["subnet"][subnet]["cidr"], "subnet", subnet
    yield from _policy(row)
    if row["router:external"]:
        return  # others use it as well
    for port in site["port"].values():
        if port["network_id"] == row["id"] and port["device_owner"] == INTERFACE:
            yield _addresses(port), "port", port["id"]
        elif port["network_id"] == row["id"] and not port["device_id"] and not port["device_owner"]:
            yield port["mac_address"], "port", port["id"]


def _addresses(port: Row) -> str:
    return " ".join(sorted(one["ip_address"] for one in port["fixed_ips"]))


def _router(site: Saved, row: Row) -> Iterator[Link]:
    gateway = row["external_gateway_info"]
    if gateway:
        yield "gateway", "network", gateway["network_id"]
    for port in site["port"].values():
        if port["device_id"] == row["id"] and port["device_owner"] == INTERFACE:
            yield _addresses(port), "port", port["id"]


def _floating_ip(_site: Saved, row: Row) -> Iterator[Link]:
    yield "", "network", row["floating_network_id"]


def _trunk(_site: Saved, row: Row) -> Iterator[Link]:
    for one in row["sub_ports"]:
        yield f"{one['segmentation_type']} {one['segmentation_id']}", "port", one["port_id"]


def _group(site: Saved, row: Row) -> Iterator[Link]:
    for rule in row["security_group_rules"]:
        remote = rule["remote_group_id"]
        if remote and remote != row["id"]:
            yield essence(site, remote), "security group", remote


_RULE = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")


def essence(site: Saved, group: str) -> str:
    """What a group lets through: two of one name are told apart by it."""
    if (row := site["security group"].get(group)) is None:
        return ""
    rules = []
    for rule in row["security_group_rules"]:
        remote = rule["remote_group_id"]
        rules.append(f"{[rule[name] for name in _RULE]} {'own' if remote == group else bool(remote)}")
    return " ".join(sorted(rules))


def _nothing(_site: Saved, _row: Row) -> Iterator[Link]:
    return iter(())


LINKS: dict[str, Callable[[Saved, Row], Iterator[Link]]] = {
    "server": _server,
    "flavor": _nothing,
    "key pair": _nothing,
    "server group": _nothing,
    "volume": _nothing,
    "network": _network,
    "subnet": _nothing,
    "port": _port,
    "router": _router,
    "floating IP": _floating_ip,
    "security group": _group,
    "trunk": _trunk,
    "QoS policy": _nothing,
}
