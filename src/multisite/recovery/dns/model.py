"""What a driver of DNS does: read all records of a name and type, and replace them unless somebody changed them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, Protocol

from multisite.domain.errors import Conflict, MultisiteError, Unavailable

RecordType = Literal["A", "AAAA"]
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


@dataclass(frozen=True)
class RecordSet:
    """The addresses of a name, sorted; none: it has none.  ``ttl``: seconds, 0 where there are none.

    ``settled`` False: the service has it and its servers do not answer so yet.
    """

    values: tuple[str, ...] = ()
    ttl: int = 0
    settled: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return ", ".join(self.values) or "none"


NONE = RecordSet()


class DnsUnknown(Unavailable):
    """No answer, or one that tells nothing: what is so, and whether a change was made, is not known."""


class DnsRefused(MultisiteError):
    """The server says no: the key, the zone, what else is at the name."""


class DnsChanged(Conflict):
    """The name has other records than are to be replaced; nothing was changed.  ``found``: what it has."""

    def __init__(self, message: str, found: RecordSet) -> None:
        super().__init__(message)
        self.found = found


class DnsDriver(Protocol):
    """Names are without a dot at the end.  Both methods raise DnsUnknown and DnsRefused, saying what to do."""

    def read(self, name: str, kind: RecordType) -> RecordSet:
        """As the authority for the zone has it now, past all caches."""

    def replace(self, name: str, kind: RecordType, old: RecordSet, new: RecordSet) -> None:
        """Let the name have ``new`` if its values are those of ``old``, or of ``new`` already; asked again, harmless.

        Raises DnsChanged when it has others.
        """


def address_of(text: str) -> tuple[int, str]:
    """Version and the one way in which an address is written here.  ValueError for what is none."""
    address = ip_address(text)
    return address.version, str(address)


def plain_name(text: str) -> str | None:
    """In lower case without the dot at the end; None for what is no name of a host or zone."""
    name = text.lower().removesuffix(".")
    return name if len(name) <= 253 and _NAME.fullmatch(name) else None


def is_in(name: str, zone: str) -> bool:
    """Whether the zone has the name; both are plain."""
    return name == zone or name.endswith(f".{zone}")


def changed(name: str, kind: str, found: RecordSet, old: RecordSet) -> DnsChanged:
    """As every driver says it."""
    return DnsChanged(
        f"{name} {kind}: somebody changed it: it has {found}, not {old}: nothing was overwritten", found
    )
