"""``/v1/paths``: L3 paths between members of two sites; ``/v1/probes``: measuring an address."""

from __future__ import annotations

from multisite.api.policy import ADMIN, MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.addresses import (
    PathIn,
    PathOut,
    PathsOut,
    PathStartedOut,
    ProbeIn,
    ProbeOut,
)
from multisite.api.schemas.common import MaybeJobOut
from multisite.api.schemas.findings import CheckOut
from multisite.api.state import services
from multisite.domain.caller import Caller
from multisite.domain.l3_path import L3Path
from multisite.networks.paths.service import EndAsked

OWNED = Owned("path", lambda caller, id: services().paths.get(caller, id))
resource = Resource("paths", "/v1", tag="Paths", owned=OWNED)


@resource.route("GET /paths", "path:list", READER, out=PathsOut)
def list_paths(caller: Caller) -> object:
    """List the L3 paths of the project."""
    return {"paths": services().paths.list(caller)}


@resource.route("POST /paths", "path:create", MEMBER, body=PathIn, out=PathStartedOut, status=202)
def create_path(caller: Caller, body: PathIn) -> object:
    """Make a path between two members over floating IPs, with rules that let only the peer in."""
    ends = [EndAsked(end.site, end.port, end.network) for end in body.ends]
    made = services().paths.create(caller, body.name, ends, body.protocol, body.port)
    return {"job_id": made.job_id, "path": made}


@resource.route("GET /paths/<id>", "path:show", READER, out=PathOut)
def show_path(_caller: Caller, found: L3Path) -> object:
    """Show a path, and how to measure it from its ends."""
    return found


@resource.route("POST /paths/<id>/check", "path:check", MEMBER, out=CheckOut, recorded=False)
def check_path(caller: Caller, found: L3Path) -> object:
    """Compare both sites with the record: rules missing or too wide, addresses changed, peers unknown."""
    return services().paths.check(caller, found.id)


@resource.route("DELETE /paths/<id>", "path:delete", MEMBER, out=MaybeJobOut, status=202)
def delete_path(caller: Caller, found: L3Path) -> object:
    """Remove a path from both sites."""
    left = services().paths.delete(caller, found.id)
    return {"job_id": None if left is None else left.job_id}


@resource.route("POST /probes", "probe:run", ADMIN, body=ProbeIn, out=ProbeOut)
def measure_address(_caller: Caller, body: ProbeIn) -> object:
    """Measure loss and latency of an address from where the service runs."""
    return services().probe.measure(
        body.address, body.way, count=body.count, interval=body.interval, timeout=body.timeout
    )
