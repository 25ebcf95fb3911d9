"""The zones that recovery plans may update by RFC 2136, as ``multisite.conf`` names them: a line for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from multisite.domain.errors import Invalid
from multisite.recovery.dns.keys import read_key
from multisite.recovery.dns.model import plain_name
from multisite.recovery.dns.rfc2136 import Rfc2136

OPTION = "[recovery_plans] dns_zones"
_FORM = "<zone> server=<address>[:port] key=<name of a key> projects=<id>[,<id>...], or projects=*"
_FIELDS = frozenset({"server", "key", "projects"})


@dataclass(frozen=True)
class Zone:
    """``server``: address and port of its primary.  ``projects``: ids of those whose plans may; None: all."""

    name: str
    server: tuple[str, int]
    key: str
    projects: frozenset[str] | None
    keys: Path

    def allows(self, project_id: str) -> bool:
        return self.projects is None or project_id in self.projects

    def driver(self) -> Rfc2136:
        """The key is read when it is used: one that was replaced needs no restart."""
        return Rfc2136(self.name, *self.server, partial(read_key, self.keys, self.key))

    def check_key(self) -> None:
        """Raises Unavailable saying what is wrong with the key or its file."""
        read_key(self.keys, self.key)


def zones(lines: Iterable[str], keys: str | None) -> dict[str, Zone]:
    """By name.  Raises Invalid naming the option, the zone and what is wrong."""
    found: dict[str, Zone] = {}
    for line in lines:
        zone = _zone(line, Path(keys) if keys else None)
        if zone.name in found:
            raise Invalid(f"{OPTION}: {zone.name} is named twice: say all projects in one line")
        found[zone.name] = zone
    return found


def _zone(line: str, keys: Path | None) -> Zone:
    words = line.split()
    pairs = dict(word.partition("=")[::2] for word in words[1:])
    name = plain_name(words[0]) if words else None
    if name is None or set(pairs) != _FIELDS or len(words) != 1 + len(_FIELDS) or not all(pairs.values()):
        raise Invalid(f"{OPTION}: {line!r} must be {_FORM}")
    if keys is None:
        raise Invalid(f"{OPTION}: {name}: [recovery_plans] dns_keys is not set: name the file with its key")
    projects = None if pairs["projects"] == "*" else frozenset(pairs["projects"].split(","))
    return Zone(name, _server(name, pairs["server"]), pairs["key"], projects, keys)


def _server(zone: str, text: str) -> tuple[str, int]:
    """No name: when a site is lost nobody may be there to resolve it."""
    host, _, port = text.rpartition(":")
    if text.endswith("]") or (text.count(":") != 1 and not text.startswith("[")):
        host, port = text, "53"
    try:
        address, number = str(ip_address(host.removeprefix("[").removesuffix("]"))), int(port)
    except ValueError:
        raise Invalid(
            f"{OPTION}: {zone}: server={text} must be an address, as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"
        ) from None
    if not 0 < number < 65536:
        raise Invalid(f"{OPTION}: {zone}: server={text}: a port is 1 to 65535")
    return address, number
