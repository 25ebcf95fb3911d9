"""What differs between an application in the source's raw state and in the target's.

Independent: it knows the simulated services' own fields and nothing of the product's readers, tables or records.
Things are told apart by what cannot change: ports by MAC address, subnets by CIDR, servers by their ports, volumes
by the order of the disks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from multisite_lab.sim.model import Row, Server, State

_OWN = {
    "id", "project_id", "tenant_id", "user_id", "created_at", "updated_at", "revision_number", "status",
}  # fmt: skip
"""Of any thing in a site: identity, time and state."""
_OF_THE_SITE: Mapping[str, set[str]] = {
    "server": {
        "key_name", "disks", "ports", "nic_tags", "group_id", "flavor", "task_state", "fault", "guest", "freeze",
        "actions", "agent", "console", "host", "more", "image_properties",
    },
    "volume": {"group_id", "snapshot_id", "server_id", "attachment_id", "content", "device", "more"},
    "volume attachment": {"volume_id", "attachment_id"},
    "port": {
        "device_id", "device_owner", "network_id", "binding:host_id", "binding:vif_type", "binding:vif_details",
    },
    "network": {"subnets", "provider:segmentation_id", "availability_zones", "ipv4_address_scope", "is_default"},
    "subnet": {"network_id"},
    "security group": {"security_group_rules", "shared"},
    "rule of security group": {"security_group_id", "remote_group_id"},
    "server group": {"members"},
    "flavor": {"links", "os-flavor-access:is_public", "_access", "OS-FLV-DISABLED:disabled"},
    "key pair": {"fingerprint"},
}  # fmt: skip
"""Besides: what is compared as a thing of its own, what is computed, where something is, who may use a flavor."""
_SUFFIX = re.compile(r"-ms-[0-9a-f]{8}-[0-9a-f]{8}$")
_TOKEN = re.compile(r"^multisite:")
_ESSENCE = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")


@dataclass(frozen=True)
class Difference:
    """``thing``: its name in the source, as an operator would call it."""

    kind: str
    thing: str
    field: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.kind} {self.thing!r}: {self.field}: {self.was!r} became {self.now!r}"


@dataclass(frozen=True)
class _Sides:
    source: State
    target: State

    def compare(
        self, kind: str, thing: str, was: Mapping[str, Any], now: Mapping[str, Any] | None
    ) -> Iterator[Difference]:
        """Every field of both sides; None: it is not there at all."""
        if now is None:
            yield Difference(kind, thing, "", "there", "not there")
            return
        ignored = _OWN | _OF_THE_SITE[kind]
        for name in sorted((was.keys() | now.keys()) - ignored):
            one, other = _plain(name, was.get(name)), _plain(name, now.get(name))
            if (one or None) != (other or None):
                yield Difference(kind, thing, name, one, other)


def _plain(name: str, value: Any) -> Any:
    """Without what carries our tokens, and without an order that services do not keep."""
    if name == "tags":
        return sorted(tag for tag in value or () if not _TOKEN.match(tag))
    if name in ("metadata", "extra_specs"):
        return {k: v for k, v in value.items() if not k.startswith("multisite") and k != "src_backup_id"}
    if name in ("name", "description") and isinstance(value, str):
        return "" if _TOKEN.match(value) else _SUFFIX.sub("", value)
    return value


def differences(source: State, target: State, servers: Iterable[str]) -> list[Difference]:
    """Between these servers of the source, with all they use, and what is at the target; each once."""
    sides = _Sides(source, target)
    found = [d for server in servers for d in _server(sides, source.servers[server])]
    return [one for n, one in enumerate(found) if one not in found[:n]]


def _server(sides: _Sides, was: Server) -> Iterator[Difference]:
    by_mac = {row["mac_address"]: row for row in sides.target.ports.values()}
    macs = [sides.source.ports[p]["mac_address"] for p in was.ports]
    ids = {by_mac[mac]["device_id"] for mac in macs if mac in by_mac}
    now = sides.target.servers.get(min(ids, default=""))
    if now is None or len(ids) > 1:
        yield Difference("server", was.name, "", "there", "not there")
        return
    yield from sides.compare("server", was.name, vars(was) | was.more, vars(now) | now.more)
    if was.status != now.status:
        yield Difference("server", was.name, "status", was.status, now.status)
    one, other = _flavor(sides.source, was), _flavor(sides.target, now)
    yield from sides.compare("flavor", was.flavor["name"], one, other)
    there = [sides.target.ports[p]["mac_address"] for p in now.ports]
    if there != macs:
        yield Difference("server", was.name, "order of NICs", macs, there)
    yield from _disks(sides, was, now)
    for port_id in was.ports:
        row = sides.source.ports[port_id]
        yield from _port(sides, was, now, row, by_mac[row["mac_address"]])
    yield from _around(sides, was, now)


def _flavor(state: State, server: Server) -> Row:
    """As the server has it, with the description that the site's has; there a recovery's token is none."""
    there = state.flavors.get(server.flavor["id"], {}).get("description")
    return server.flavor | {"description": None if _TOKEN.match(there or "") else there}


def _around(sides: _Sides, was: Server, now: Server) -> Iterator[Difference]:
    """Server group and key pair."""
    if was.group_id is not None:
        one = sides.source.server_groups[was.group_id]
        yield from sides.compare(
            "server group", one["name"], one, sides.target.server_groups.get(now.group_id or "")
        )
    if was.key_name is not None:
        pair = sides.source.keypairs[was.user_id, was.key_name]
        there = sides.target.keypairs.get((now.user_id, now.key_name or ""))
        yield from sides.compare("key pair", was.key_name, pair, there)


def _disks(sides: _Sides, was: Server, now: Server) -> Iterator[Difference]:
    if len(was.disks) != len(now.disks):
        yield Difference("server", was.name, "disks", len(was.disks), len(now.disks))
    for one, other in zip(was.disks, now.disks, strict=False):
        volume, there = sides.source.volumes[one.volume_id], sides.target.volumes[other.volume_id]
        shown = volume.name or volume.id
        yield from sides.compare("volume attachment", f"{shown} of {was.name}", vars(one), vars(other))
        yield from sides.compare("volume", shown, vars(volume) | volume.more, vars(there) | there.more)


def _port(sides: _Sides, server: Server, at: Server, was: Row, now: Row) -> Iterator[Difference]:
    shown = was["name"] or was["id"]
    one, other = (
        row
        | {
            "fixed_ips": sorted(
                (state.subnets[a["subnet_id"]]["cidr"], a["ip_address"]) for a in row["fixed_ips"]
            ),
            "security_groups": [state.security_groups[g]["name"] for g in row["security_groups"]],
            "qos_policy_id": _policy(state, row),
        }
        for state, row in ((sides.source, was), (sides.target, now))
    )
    yield from sides.compare("port", shown, one, other)
    tags = server.nic_tags.get(was["id"]), at.nic_tags.get(now["id"])
    if tags[0] != tags[1]:
        yield Difference("interface", shown, "tag", *tags)
    for group, there in zip(was["security_groups"], now["security_groups"], strict=False):
        yield from _group(sides, sides.source.security_groups[group], sides.target.security_groups[there])
    networks = sides.source.networks[was["network_id"]], sides.target.networks[now["network_id"]]
    yield from _network(sides, *networks)


def _policy(state: State, row: Row) -> Any:
    """The name of its QoS policy."""
    policy = state.qos_policies.get(row.get("qos_policy_id") or "")
    return policy["name"] if policy else None


def _network(sides: _Sides, was: Row, now: Row) -> Iterator[Difference]:
    one, other = (
        was | {"qos_policy_id": _policy(sides.source, was)},
        now | {"qos_policy_id": _policy(sides.target, now)},
    )
    yield from sides.compare("network", was["name"] or was["id"], one, other)
    there = {sides.target.subnets[s]["cidr"]: sides.target.subnets[s] for s in now["subnets"]}
    for subnet in (sides.source.subnets[s] for s in was["subnets"]):
        yield from sides.compare(
            "subnet", subnet["name"] or subnet["cidr"], subnet, there.get(subnet["cidr"])
        )


def _group(sides: _Sides, was: Row, now: Row) -> Iterator[Difference]:
    yield from sides.compare("security group", was["name"], was, now)
    there = {_essence(sides.target, rule): rule for rule in now["security_group_rules"]}
    here = {_essence(sides.source, rule): rule for rule in was["security_group_rules"]}
    for essence in there.keys() - here.keys():
        yield Difference("rule of security group", was["name"], "", None, essence)
    for essence, rule in here.items():
        if rule.get("remote_address_group_id") and essence not in there:
            yield Difference("rule of security group", was["name"], "remote_address_group_id", essence, None)
        else:
            yield from sides.compare("rule of security group", was["name"], rule, there.get(essence))


def _essence(state: State, rule: Row) -> tuple[str, ...]:
    remote = state.security_groups.get(rule.get("remote_group_id") or "", {}).get("name")
    return (*(str(rule[name]) for name in _ESSENCE), str(remote))
