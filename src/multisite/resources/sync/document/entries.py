"""What an entry of each kind may say in a document, and what becomes of it: the fields of a ``Record``.

What an entry leaves out is not looked after; what it says is compared and written.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds.resources import tokens
from multisite.clouds.tenant_resources import qos_policies
from multisite.clouds.tenant_resources.security_groups import GROUP, text_of_rule
from multisite.clouds.tenant_resources.volume_types import OF_THE_SITE
from multisite.resources.sync.document.lines import Said, shown, wrong

Fields = Mapping[str, Any]
Check = Callable[[Said, str], Any]
LONGEST = 255
MOST = 2**31 - 1
_PRIVATE = ("PRIVATE KEY", "PuTTY-User-Key-File")
_WITH_PORTS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "33", "132", "136"})
_ICMP_OF_6 = frozenset({"icmp", "icmpv6"})


@dataclass(frozen=True)
class Entry:
    """``required``: without them none can be made.  ``name``: what it is called, of its fields.

    ``defaults``: what is meant when it is left out.  ``refers``: where it names other entries, of what it says.
    ``said``: a record's fields as a document says them; ``ids``: names of entries by id in the site.
    """

    fields: Mapping[str, Check]
    required: tuple[str, ...] = ("name",)
    name: Callable[[Fields], str] = field(default=lambda fields: str(fields["name"]))
    defaults: Fields = field(default_factory=dict)
    refers: Callable[[Said, str], Iterator[tuple[Said, str]]] = field(default=lambda _said, _at: iter(()))
    said: Callable[[Fields, Mapping[str, str]], dict[str, Any]] = field(
        default=lambda fields, _ids: dict(fields)
    )


def mapping(said: Said, at: str) -> Mapping[str, Said]:
    if not isinstance(said.value, Mapping):
        raise wrong(said, at, f"{_what(said)}: write fields, as `name: ...`")
    return said.value


def items(said: Said, at: str) -> tuple[Said, ...]:
    """Of a list; one that is not said is not an empty one."""
    if said.value is None:
        raise wrong(
            said, at, "nothing is said: write `[]` for none at all, or leave it out to leave it alone"
        )
    if not isinstance(said.value, tuple):
        raise wrong(said, at, f"{_what(said)}: write a list, each item with `- ` before it")
    return said.value


def known(said: Said, at: str, names: Collection[str]) -> Mapping[str, Said]:
    """The fields of an entry, of which others than ``names`` are refused."""
    found = mapping(said, at)
    for name, value in found.items():
        if name not in names:
            raise wrong(value, f"{at}.{name}".lstrip("."), f"no such field: there are {', '.join(names)}")
    return found


def text(said: Said, at: str) -> str:
    if not isinstance(said.value, str):
        raise wrong(said, at, f"{_what(said)}: write text, in quotes")
    if "\0" in said.value:
        raise wrong(said, at, "it has a character NUL: leave it out")
    return said.value


def short(said: Said, at: str) -> str:
    found = text(said, at)
    if len(found) > LONGEST:
        raise wrong(said, at, f"{len(found)} characters: at most {LONGEST}")
    return found


def title(said: Said, at: str) -> str:
    found = short(said, at)
    if any(ord(char) < 32 or ord(char) == 127 for char in found):
        raise wrong(said, at, f"{shown(found)}: leave out what cannot be printed")
    return found


def truth(said: Said, at: str) -> bool:
    if not isinstance(said.value, bool):
        raise wrong(said, at, f"{_what(said)}: write `true` or `false`")
    return said.value


def whole(least: int, most: int = MOST) -> Check:
    def check(said: Said, at: str) -> int:
        if type(said.value) is not int or not least <= said.value <= most:
            raise wrong(said, at, f"{_what(said)}: write a whole number from {least} to {most}")
        return said.value

    return check


def one_of(*words: str) -> Check:
    def check(said: Said, at: str) -> str:
        if said.value not in words:
            raise wrong(said, at, f"{_what(said)}: write one of {', '.join(words)}")
        return str(said.value)

    return check


def specs(foreign: Callable[[str], bool]) -> Check:
    """Texts by text, without keys that are ``foreign``: not of a document to set."""

    def check(said: Said, at: str) -> dict[str, str]:
        found = {}
        for key, value in mapping(said, at).items():
            if foreign(key):
                raise wrong(value, f"{at}.{key}", "the site's own, or Multisite's: leave it out")
            found[key] = text(value, f"{at}.{key}")
        return found

    return check


def _factor(said: Said, at: str) -> float:
    if type(said.value) not in (int, float) or not 0 < float(str(said.value)) <= MOST:
        raise wrong(said, at, f"{_what(said)}: write a number greater than 0")
    return float(str(said.value))


def _numbers(said: Said, at: str) -> dict[str, int]:
    return {key: whole(1)(value, f"{at}.{key}") for key, value in mapping(said, at).items()}


def _user(said: Said, at: str) -> str:
    found = title(said, at)
    name, _, domain = found.rpartition("@")
    if not name or not domain:
        raise wrong(said, at, f"{shown(found)}: write <user>@<domain>, as alice@Default")
    return found


def _public_key(said: Said, at: str) -> str:
    """Never shown in an error: it may be the wrong half."""
    found = said.value if isinstance(said.value, str) else ""
    if any(word in found for word in _PRIVATE):
        what = "this is a PRIVATE key: take it out of the file and its history, replace the pair, write the public half"
        raise wrong(said, at, what)
    if not found.strip():
        raise wrong(said, at, "no key: write the public half, as in a file that ends with .pub")
    return found


_RULE: Mapping[str, Check] = {
    "direction": one_of("ingress", "egress"), "ethertype": one_of("IPv4", "IPv6"),
    "protocol": lambda said, _at: said.value,
    "port_range_min": whole(0, 65535), "port_range_max": whole(0, 65535), "remote_ip_prefix": text,
    "remote_group": text, "description": short,
}  # fmt: skip


def _rules(said: Said, at: str) -> list[str]:
    found: dict[str, int] = {}
    for number, one in enumerate(items(said, at)):
        rule = _rule(one, f"{at}[{number}]")
        if rule in found:
            raise wrong(one, f"{at}[{number}]", f"the same rule is in line {found[rule]}: remove one")
        found[rule] = one.line
    return sorted(found)


def _rule(said: Said, at: str) -> str:
    parts = known(said, at, tuple(_RULE))
    rule = {
        name: _RULE[name](value, f"{at}.{name}") for name, value in parts.items() if value.value is not None
    }
    if "direction" not in rule:
        raise wrong(said, at, "direction: it is missing: write ingress or egress")
    if "remote_ip_prefix" in rule and "remote_group" in rule:
        raise wrong(said, at, "remote_group and remote_ip_prefix: a rule has one of them: make two rules")
    if "remote_ip_prefix" in rule:
        rule |= _prefix(parts["remote_ip_prefix"], f"{at}.remote_ip_prefix", rule.get("ethertype"))
    rule.setdefault("ethertype", "IPv4")
    rule["protocol"] = _protocol(parts.get("protocol"), f"{at}.protocol", rule["ethertype"])
    _refuse_ports(said, at, rule)
    rule[GROUP] = rule.pop("remote_group", None)
    return text_of_rule(rule)


def _prefix(said: Said, at: str, ethertype: str | None) -> dict[str, str]:
    """As Neutron keeps it: a network, without bits of a host."""
    try:
        network = ipaddress.ip_network(text(said, at), strict=False)
    except ValueError as error:
        raise wrong(
            said, at, f"{shown(said.value)} is no prefix: write one as 10.0.0.0/24 or fd00::/8"
        ) from error
    version = f"IPv{network.version}"
    if ethertype not in (None, version):
        raise wrong(said, at, f"{shown(said.value)} is of {version}, the rule of {ethertype}: correct either")
    return {"remote_ip_prefix": str(network), "ethertype": version}


def _protocol(said: Said | None, at: str, ethertype: str) -> str | None:
    """As Neutron keeps it: text, in small letters."""
    if said is None or said.value is None:
        return None
    if type(said.value) is int and 0 <= said.value <= 255:
        return str(said.value)
    if not isinstance(said.value, str) or not said.value:
        raise wrong(said, at, f"{_what(said)}: write a name as tcp, or a number up to 255")
    name = said.value.lower()
    return "ipv6-icmp" if ethertype == "IPv6" and name in _ICMP_OF_6 else name


def _refuse_ports(said: Said, at: str, rule: Fields) -> None:
    low, high = rule.get("port_range_min"), rule.get("port_range_max")
    if low is None and high is None:
        return
    if rule["protocol"] is None:
        raise wrong(said, at, "protocol: ports need one: write tcp or udp")
    if rule["protocol"] in _WITH_PORTS and (low is None or high is None or low > high):
        raise wrong(said, at, "port_range_min, port_range_max: write both, the smaller one first")


def _groups_of(said: Said, at: str) -> Iterator[tuple[Said, str]]:
    rules = mapping(said, at).get("rules")
    for number, rule in enumerate(items(rules, f"{at}.rules") if rules else ()):
        group = mapping(rule, at).get("remote_group")
        if group is not None and group.value is not None:
            yield group, f"{at}.rules[{number}].remote_group"


def _said_group(fields: Fields, ids: Mapping[str, str]) -> dict[str, Any]:
    rules = []
    for one in map(json.loads, fields["rules"]):
        group = one.pop(GROUP)
        rule = {name: one[name] for name in _RULE if one.get(name) not in (None, "")}
        rules.append(rule | ({"remote_group": ids.get(group, group)} if group else {}))
    return {**fields, "rules": sorted(rules, key=lambda rule: json.dumps(rule, sort_keys=True))}


_QOS: Mapping[str, Check] = {
    "type": one_of(*qos_policies.RULES), "direction": one_of("egress", "ingress"), "max_kbps": whole(0),
    "max_burst_kbps": whole(0), "min_kbps": whole(0), "dscp_mark": whole(0, 56),
}  # fmt: skip
_QOS_REQUIRED = frozenset({"max_kbps", "min_kbps", "dscp_mark"})


def _qos_rules(said: Said, at: str) -> list[str]:
    """At most one of a type and direction, as Neutron has it."""
    found: dict[tuple[str, Any], int] = {}
    rules = []
    for number, one in enumerate(items(said, at)):
        where = f"{at}[{number}]"
        kind = mapping(one, where).get("type")
        if kind is None:
            raise wrong(one, where, f"type: it is missing: write one of {', '.join(qos_policies.RULES)}")
        names = qos_policies.RULES[one_of(*qos_policies.RULES)(kind, f"{where}.type")]
        parts = known(one, where, ("type", *names))
        rule = {name: _QOS[name](value, f"{where}.{name}") for name, value in parts.items()}
        if missing := [name for name in names if name in _QOS_REQUIRED and name not in rule]:
            raise wrong(one, where, f"{missing[0]}: it is missing")
        place = (rule["type"], rule.get("direction", "egress"))
        if place in found:
            raise wrong(one, where, f"one of this type and direction is in line {found[place]}: keep one")
        found[place] = one.line
        rules.append(qos_policies.text_of_rule(rule))
    return sorted(rules)


def _said_qos(fields: Fields, _ids: Mapping[str, str]) -> dict[str, Any]:
    return {**fields, "rules": [json.loads(rule) for rule in fields["rules"]]}


def _what(said: Said) -> str:
    """What is there in place of what should be."""
    if said.value is None:
        return "nothing is said"
    kind = "a list" if isinstance(said.value, tuple) else "fields" if isinstance(said.value, Mapping) else ""
    return kind or shown(said.value)


SECURITY_GROUP = Entry(
    {"name": title, "description": short, "stateful": truth, "rules": _rules},
    refers=_groups_of,
    said=_said_group,
)
SERVER_GROUP = Entry({"name": title, "policy": title, "rules": _numbers}, ("name", "policy"))
QOS_POLICY = Entry(
    {"name": title, "description": short, "shared": truth, "is_default": truth, "rules": _qos_rules},
    said=_said_qos,
)
KEY_PAIR = Entry(
    {"user": _user, "key_name": title, "public_key": _public_key, "type": one_of("ssh", "x509")},
    ("user", "key_name", "public_key"),
    lambda fields: f"{fields['key_name']} of {fields['user']}",
    {"type": "ssh"},
)
FLAVOR = Entry(
    {
        "name": title, "vcpus": whole(1), "ram": whole(1), "disk": whole(0), "swap": whole(0), "ephemeral": whole(0),
        "rxtx_factor": _factor, "public": truth, "description": text, "extra_specs": specs(tokens.is_our_spec),
        "access": truth,
    },
    ("name", "vcpus", "ram", "disk"),
)  # fmt: skip
VOLUME_TYPE = Entry(
    {
        "name": title, "description": text, "public": truth,
        "extra_specs": specs(lambda key: key in OF_THE_SITE),
    }
)  # fmt: skip
