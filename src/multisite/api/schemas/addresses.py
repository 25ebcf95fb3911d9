"""Moving addresses, L3 paths and measurements."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.schemas.common import In, Name, Ref, Text
from multisite.api.schemas.derived import group, shown, started
from multisite.domain.l3_path import L3Path
from multisite.domain.moving_address import (
    AddressMember,
    EpochRecord,
    Judgment,
    MovingAddress,
)
from multisite.networks.probe.measure import Report

Ipv4 = Annotated[str, Field(max_length=45, pattern=r"^[0-9A-Fa-f.:]+$", description="An IP address")]
Way = Annotated[
    str,
    Field(
        max_length=9,
        pattern=r"^(icmp|none|(tcp|udp):[1-9][0-9]{0,4})$",
        description="icmp, tcp:<port>, udp:<port> (of an echo service), or none",
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]


class AddressMemberIn(In):
    """The port that gets the address while its site is active; ``network``: the external one (default: the only)."""

    site: Name
    port: Ref
    network: Ref | None = None


class AddressIn(In):
    name: Name
    address: Ipv4
    members: Annotated[list[AddressMemberIn], Field(min_length=2, max_length=32)]
    active: Annotated[Name, Field(description="The site that holds it first")]
    probe: Way = "icmp"


class MoveIn(In):
    """``fenced``: the caller vouches that nothing answers from these sites any more; it is recorded with the name."""

    to: Name
    fenced: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)
    why: Text = ""


AddressMemberOut = shown(AddressMember, without=("witnessed",))
EpochOut = shown(EpochRecord, "EpochOut", without=("address_id",))
AddressOut = shown(
    MovingAddress,
    "AddressOut",
    more={"sentence": str, "in_doubt": list[str], "history": list[EpochRecord]},
    doc="``sentence`` says what the state means, ``in_doubt`` which sites may still hold it against the record.",
)
AddressesOut = group("AddressesOut", addresses=list[MovingAddress])
AddressStartedOut = started("AddressStartedOut", address=MovingAddress)
AddressCheckOut = shown(
    Judgment,
    "AddressCheckOut",
    doc="``answers`` null: unknown; ``stale``: sites that are made to let go; ``released``: that do not hold it.",
)


class PathIn(In):
    name: Name
    ends: Annotated[list[AddressMemberIn], Field(min_length=2, max_length=2)]
    protocol: Annotated[str, Field(max_length=8, pattern=r"^(udp|tcp|sctp|icmp)$")]
    port: Port | None = None


PathOut = shown(
    L3Path,
    "PathOut",
    more={"lets_in": str, "sentence": str, "measure": list[str]},
    doc="``measure``: how to measure it from its ends.",
)
PathsOut = group("PathsOut", paths=list[L3Path])
PathStartedOut = started("PathStartedOut", path=L3Path)


class ProbeIn(In):
    """``count`` questions, one every ``interval`` seconds; at most 30 s in all."""

    address: Ipv4
    way: Annotated[str, Field(max_length=9, pattern=r"^(icmp|(tcp|udp):[1-9][0-9]{0,4})$")] = "icmp"
    count: Annotated[int, Field(ge=1, le=500)] = 20
    interval: Annotated[float, Field(ge=0.02, le=10)] = 0.2
    timeout: Annotated[float, Field(ge=0.05, le=10)] = 1.0


ProbeOut = shown(
    Report,
    "ProbeOut",
    without=("answered",),
    more={"outage": float | None},
    doc="Shares from 0 to 1, times in milliseconds, gaps in seconds; null: unknown, and ``unknown`` says why.",
)
