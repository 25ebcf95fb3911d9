"""``/v1/paths``: L3 paths between members of two sites; ``/v1/probes``: measuring an address."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

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
from multisite.api.state import policy, services
from multisite.domain.caller import Caller
from multisite.networks.paths.service import EndAsked, shown

bp = APIBlueprint("paths", __name__, url_prefix="/v1", tag="Paths")


@bp.get("/paths")
@bp.output(PathsOut)
def list_paths() -> Any:
    """List the L3 paths of the project."""
    return {"paths": [shown(path) for path in services().paths.list(policy().check("path:list"))]}


@bp.post("/paths")
@bp.input(PathIn, arg_name="body")
@bp.output(PathStartedOut, status_code=202)
def create_path(body: PathIn) -> Any:
    """Make a path between two members over floating IPs, with rules that let only the peer in."""
    caller = policy().check("path:create")
    ends = [EndAsked(end.site, end.port, end.network) for end in body.ends]
    made = services().paths.create(caller, body.name, ends, body.protocol, body.port)
    return {"job_id": made.job_id, "path": shown(made)}


@bp.get("/paths/<id>")
@bp.output(PathOut)
def show_path(id: str) -> Any:
    """Show a path, and how to measure it from its ends."""
    return shown(services().paths.get(_owner("path:show", id), id))


@bp.post("/paths/<id>/check")
@bp.output(CheckOut)
def check_path(id: str) -> Any:
    """Compare both sites with the record: rules missing or too wide, addresses changed, peers unknown."""
    return services().paths.check(_owner("path:check", id), id)


@bp.delete("/paths/<id>")
@bp.output(MaybeJobOut, status_code=202)
def delete_path(id: str) -> Any:
    """Remove a path from both sites."""
    found = services().paths.delete(_owner("path:delete", id), id)
    return {"job_id": None if found is None else found.job_id}


@bp.post("/probes")
@bp.input(ProbeIn, arg_name="body")
@bp.output(ProbeOut)
def measure_address(body: ProbeIn) -> Any:
    """Measure loss and latency of an address from where the service runs."""
    policy().check("probe:run")
    return services().probe.measure(
        body.address, body.way, count=body.count, interval=body.interval, timeout=body.timeout
    )


def _owner(rule: str, id: str) -> Caller:
    found = services().paths.get(policy().check("path:list"), id)
    policy().check_owned(rule, found.project_id, f"path: there is no path {id!r}")
    return policy().check(rule, found.project_id)
