"""``/v1/paths``: L3 paths between members of two sites; ``/v1/probes``: measuring an address."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.addresses import AddressMemberIn, Ipv4, Port
from multisite.api.policy import ADMIN, MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, MaybeJobOut, Name, PageQuery
from multisite.api.schemas.derived import page_of, shown, started
from multisite.api.schemas.findings import CheckOut
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.l3_path import L3Path
from multisite.networks.members import MemberAsked
from multisite.networks.paths.service import PathService
from multisite.networks.probe.measure import Report
from multisite.networks.probe.service import ProbeService


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
PathsOut = page_of("PathsOut", paths=list[L3Path])
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


paths = Service("paths", PathService)
probe = Service("probe", ProbeService)
OWNED = Owned("path", lambda caller, id: paths().get(caller, id))
resource = Resource("paths", "/v1", tag="Paths", owned=OWNED)


@resource.route("GET /paths", "path:list", READER, query=PageQuery, out=PathsOut)
def list_paths(caller: Caller, query: PageQuery) -> object:
    """List the L3 paths of the project."""
    return {"paths": paths().list(caller, page=query.page())}


@resource.route("POST /paths", "path:create", MEMBER, body=PathIn, out=PathStartedOut, status=202)
def create_path(caller: Caller, body: PathIn) -> object:
    """Make a path between two members over floating IPs, with rules that let only the peer in."""
    ends = [MemberAsked(end.site, end.port, end.network) for end in body.ends]
    made = paths().create(caller, body.name, ends, body.protocol, body.port)
    return {"job_id": made.job_id, "path": made}


@resource.route("GET /paths/<id>", "path:show", READER, out=PathOut)
def show_path(_caller: Caller, found: L3Path) -> object:
    """Show a path, and how to measure it from its ends."""
    return found


@resource.route("POST /paths/<id>/check", "path:check", MEMBER, out=CheckOut, recorded=False)
def check_path(caller: Caller, found: L3Path) -> object:
    """Compare both sites with the record: rules missing or too wide, addresses changed, peers unknown."""
    return paths().check(caller, found.id)


@resource.route("DELETE /paths/<id>", "path:delete", MEMBER, out=MaybeJobOut, status=202)
def delete_path(caller: Caller, found: L3Path) -> object:
    """Remove a path from both sites."""
    left = paths().delete(caller, found.id)
    return {"job_id": None if left is None else left.job_id}


@resource.route("POST /probes", "probe:run", ADMIN, body=ProbeIn, out=ProbeOut)
def measure_address(_caller: Caller, body: ProbeIn) -> object:
    """Measure loss and latency of an address from where the service runs."""
    return probe().measure(
        body.address, body.way, count=body.count, interval=body.interval, timeout=body.timeout
    )
