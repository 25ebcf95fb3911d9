"""Every field of every thing of an application, at the source and at the target."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.odd.excused import ALWAYS, EXCUSED, WITHIN
from tests.odd.pairs import INTERFACE, Pairs, follow, shown
from tests.odd.saved import Row, Saved

OUR_TAG, OUR_KEY, OUR_SUFFIX = "multisite:", "multisite", re.compile(r"-ms-[0-9a-f]{8}-[0-9a-f]{8}$")
"""By which the product finds again what it made: a tag, or a key of metadata or extra specs, beside
the user's; a suffix of the name where there are neither (server groups, key pairs)."""


@dataclass(frozen=True)
class Difference:
    """``field`` "": all of it; ``was`` is the source's value in the target's ids, ``now`` the target's; ``of``: the
    server a volume is of."""

    kind: str
    thing: str
    field: str
    was: Any
    now: Any
    of: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.thing!r}: {self.field or 'all of it'}: {self.was!r} became {self.now!r}"


def differences(source: Saved, target: Saved) -> list[Difference]:
    """Of the application whose servers ``source`` has; ``target`` may have more than what was recovered."""
    pairs = follow(source, target)
    found = list(_alone(pairs))
    ids = pairs.by_id | _projects(pairs)
    for one, other in pairs.by_id.items():
        kind = pairs.kinds[one]
        row = source[kind][one]
        was, now = _plain(kind, _translated(row, ids)), _plain(kind, target[kind][other])
        for name in sorted(was.keys() | now.keys()):
            if was.get(name) != now.get(name):
                values = name, was.get(name), now.get(name)
                found.append(Difference(kind, shown(kind, row), *values, _server_of(source, row)))
    return found


def _server_of(source: Saved, row: Row) -> str:
    ids = [one.get("server_id") for one in row.get("attachments") or () if "server_id" in one]
    return "".join(source["server"][one]["name"] for one in ids if one in source["server"])


def _alone(pairs: Pairs) -> Iterator[Difference]:
    for kind, which, side, on in pairs.alone:
        site = pairs.source if side == "source" else pairs.target
        row = site[kind].get(which, {"id": which})
        if kind == "port" and row.get("device_owner") == INTERFACE:  # has no name, and is the router's
            kind, row = "router", site["router"][row["device_id"]]
        there = f"there, of {on}"
        was, now = (there, "not there") if side == "source" else ("not there", there)
        yield Difference(kind, shown(kind, row), "", was, now)


def _projects(pairs: Pairs) -> dict[str, str]:
    servers = pairs.source["server"]
    there = pairs.target["server"]
    return {
        row["tenant_id"]: there[pairs.by_id[which]]["tenant_id"]
        for which, row in servers.items()
        if which in pairs.by_id
    }


def _translated(value: Any, ids: Mapping[str, str]) -> Any:
    """An id that has no partner stays as it is, and so differs."""
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, list):
        return [_translated(one, ids) for one in value]
    if isinstance(value, dict):
        return {key: _translated(one, ids) for key, one in value.items()}
    return value


def excused(kind: str, row: Row) -> set[str]:
    """Fields of this row that are not compared."""
    more = WITHIN["port of a router"] if row.get("device_owner") == INTERFACE else {}
    return {*EXCUSED[kind], *ALWAYS, *more}


def _plain(kind: str, row: Row) -> Row:
    """Without what is excused, and without an order that services do not keep."""
    found = {name: value for name, value in row.items() if name not in excused(kind, row)}
    if "tags" in found:
        found["tags"] = sorted(tag for tag in found["tags"] if not tag.startswith(OUR_TAG))
    for name in _UNORDERED.get(kind, ()):
        if found.get(name):
            found[name] = _sorted(found[name])
    return _PLAIN.get(kind, lambda same: same)(found)


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda one: json.dumps(one, sort_keys=True))


def _without(row: Row, what: str) -> Row:
    return {name: value for name, value in row.items() if name not in WITHIN[what]}


def _server(row: Row) -> Row:
    metadata = {key: value for key, value in row["metadata"].items() if not key.startswith(OUR_KEY)}
    fixed = {
        network: _sorted([one for one in rows if one["OS-EXT-IPS:type"] == "fixed"])
        for network, rows in row["addresses"].items()
    }
    return row | {
        "metadata": metadata,
        "addresses": fixed,  # floating ones are compared as floating IPs
        "attachments": [_without(one, "attachment") for one in row["attachments"]],
        "key_name": OUR_SUFFIX.sub("", row["key_name"] or ""),
    }


def _volume(row: Row) -> Row:
    metadata = {key: value for key, value in row["metadata"].items() if not key.startswith(OUR_KEY)}
    metadata = _without(metadata, "volume metadata")
    if metadata.get("readonly") == "False":  # Cinder notes it once a volume was attached
        del metadata["readonly"]
    return row | {"metadata": metadata}


def _flavor(row: Row) -> Row:
    specs = {key: value for key, value in row["extra_specs"].items() if not key.startswith(OUR_TAG)}
    return row | {"extra_specs": specs}


def _group(row: Row) -> Row:
    rules = [_without(rule, "security group rule") for rule in row["security_group_rules"]]
    return row | {"security_group_rules": _sorted(rules)}


def _router(row: Row) -> Row:
    gateway = row["external_gateway_info"]
    return row | {"external_gateway_info": gateway and _without(gateway, "external_gateway_info")}


def _port(row: Row) -> Row:
    trunk = row.get("trunk_details")
    return row | {"trunk_details": trunk and trunk | {"sub_ports": _sorted(trunk["sub_ports"])}}


def _policy(row: Row) -> Row:
    return row | {"rules": _sorted([_without(rule, "QoS rule") for rule in row["rules"]])}


def _named(row: Row) -> Row:
    return row | {"name": OUR_SUFFIX.sub("", row["name"])}


_PLAIN: Mapping[str, Callable[[Row], Row]] = {
    "server": _server,
    "volume": _volume,
    "flavor": _flavor,
    "security group": _group,
    "router": _router,
    "port": _port,
    "QoS policy": _policy,
    "server group": _named,
    "key pair": _named,
}
_UNORDERED: Mapping[str, tuple[str, ...]] = {
    "server": ("tags", "security_groups", "os-extended-volumes:volumes_attached"),
    "server group": ("members",),
    "network": ("subnets",),
    "subnet": ("allocation_pools", "host_routes"),
    "port": ("fixed_ips", "security_groups", "allowed_address_pairs", "extra_dhcp_opts"),
    "router": ("routes",),
    "trunk": ("sub_ports",),
}
