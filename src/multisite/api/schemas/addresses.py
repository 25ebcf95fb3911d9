"""Moving addresses, L3 paths and measurements."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from multisite.api.schemas.common import FindingOut, In, Name, Out, Ref, Text
from multisite.domain.l3_path import PathState
from multisite.domain.moving_address import AddressState, Verdict

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


class AddressMemberOut(Out):
    site: str
    port_id: str
    network_id: str
    floating_ip_id: str | None
    adopted: bool
    bound_epoch: int
    released_epoch: int


class EpochOut(Out):
    epoch: int
    site: str
    at: datetime
    by: str
    why: str
    job_id: str


class AddressOut(Out):
    """``sentence`` says what the state means, ``in_doubt`` which sites may still hold it against the record."""

    id: str
    name: str
    address: str
    project_id: str
    members: list[AddressMemberOut]
    active_site: str
    epoch: int
    state: AddressState
    sentence: str
    in_doubt: list[str]
    probe: str
    job_id: str
    move_job_id: str | None
    requested_by: str
    created_at: datetime
    error: str | None
    history: list[EpochOut]


class AddressesOut(Out):
    addresses: list[AddressOut]


class AddressStartedOut(Out):
    """Work was accepted; watch the job."""

    job_id: str
    address: AddressOut


class AddressCheckOut(Out):
    """``answers`` null: unknown; ``stale``: sites that are made to let go; ``released``: that do not hold it."""

    verdict: Verdict
    sentence: str
    findings: list[FindingOut]
    stale: list[str]
    released: list[str]
    answers: bool | None


class PathIn(In):
    name: Name
    ends: Annotated[list[AddressMemberIn], Field(min_length=2, max_length=2)]
    protocol: Annotated[str, Field(max_length=8, pattern=r"^(udp|tcp|sctp|icmp)$")]
    port: Port | None = None


class PathEndOut(Out):
    site: str
    port_id: str
    network_id: str
    floating_ip_id: str | None
    address: str | None
    group_id: str | None


class PathOut(Out):
    """``measure``: how to measure it from its ends."""

    id: str
    name: str
    project_id: str
    ends: list[PathEndOut]
    protocol: str
    port: int | None
    lets_in: str
    state: PathState
    sentence: str
    measure: list[str]
    job_id: str
    requested_by: str
    created_at: datetime
    error: str | None


class PathsOut(Out):
    paths: list[PathOut]


class PathStartedOut(Out):
    """Work was accepted; watch the job."""

    job_id: str
    path: PathOut


class ProbeIn(In):
    """``count`` questions, one every ``interval`` seconds; at most 30 s in all."""

    address: Ipv4
    way: Annotated[str, Field(max_length=9, pattern=r"^(icmp|(tcp|udp):[1-9][0-9]{0,4})$")] = "icmp"
    count: Annotated[int, Field(ge=1, le=500)] = 20
    interval: Annotated[float, Field(ge=0.02, le=10)] = 0.2
    timeout: Annotated[float, Field(ge=0.05, le=10)] = 1.0


class ProbeOut(Out):
    """Shares from 0 to 1, times in milliseconds, gaps in seconds; null: unknown, and ``unknown`` says why."""

    address: str
    way: str
    interval: float
    sent: int
    received: int
    loss: float | None
    min_ms: float | None
    median_ms: float | None
    p99_ms: float | None
    longest_gap: float | None
    outage: float | None
    unknown: str
