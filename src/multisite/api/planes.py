"""``/v1/applications/{id}/planes``: described once, realized one by one."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.common import MaybeJobOut
from multisite.api.schemas.findings import CheckOut
from multisite.api.schemas.planes import (
    PlaneForgetIn,
    PlaneOut,
    PlanePreviewOut,
    PlaneRemovalQuery,
    PlanesIn,
    PlanesOut,
    PlaneStartedOut,
)
from multisite.api.state import policy, services
from multisite.domain.caller import Caller
from multisite.domain.model import Application
from multisite.domain.planes import Realized
from multisite.networks.planes.service import shown

bp = APIBlueprint("planes", __name__, url_prefix="/v1/applications", tag="Planes")


@bp.get("/<id>/planes")
@bp.output(PlanesOut)
def list_planes(id: str) -> Any:
    """List the planes of an application, and what is there of each."""
    caller, app = _owned("plane:list", id)
    return {"planes": [shown(app.name, plane) for plane in services().planes.list(caller, app.id)]}


@bp.put("/<id>/planes")
@bp.input(PlanesIn, arg_name="body")
@bp.output(PlanesOut)
def describe_planes(id: str, body: PlanesIn) -> Any:
    """Describe all planes anew; those that are realized must stay as they are."""
    caller, app = _owned("plane:describe", id)
    document = [plane.model_dump(exclude_none=True) for plane in body.planes]
    found = services().planes.describe(caller, app.id, document, body.sites)
    return {"planes": [shown(app.name, plane) for plane in found]}


@bp.get("/<id>/planes/<name>")
@bp.output(PlaneOut)
def show_plane(id: str, name: str) -> Any:
    """Show a plane."""
    caller, app = _owned("plane:show", id)
    return shown(app.name, services().planes.get(caller, app.id, name))


@bp.post("/<id>/planes/<name>/preview")
@bp.output(PlanePreviewOut)
def preview_plane(id: str, name: str) -> Any:
    """What realizing a plane would make, and what stands in its way; changes nothing."""
    caller, app = _owned("plane:preview", id)
    _may_stretch("network:preview", caller, app, name)
    return services().planes.preview(caller, app.id, name)


@bp.post("/<id>/planes/<name>/realize")
@bp.output(PlaneStartedOut, status_code=202)
def realize_plane(id: str, name: str) -> Any:
    """Make a plane in all its sites; what fails in one is undone in all."""
    caller, app = _owned("plane:realize", id)
    _may_stretch("network:stretch", caller, app, name)
    found = services().planes.realize(caller, app.id, name)
    return {"job_id": found.job_id, "plane": shown(app.name, found)}


@bp.post("/<id>/planes/<name>/check")
@bp.output(CheckOut)
def check_plane(id: str, name: str) -> Any:
    """Compare a plane with what its sites have now; changes nothing."""
    caller, app = _owned("plane:check", id)
    return services().planes.check(caller, app.id, name)


@bp.post("/<id>/planes/<name>/repair")
@bp.output(MaybeJobOut, status_code=202)
def repair_plane(id: str, name: str) -> Any:
    """Mend what can be mended without taking anything away; no job when there is nothing to mend."""
    caller, app = _owned("plane:repair", id)
    return {"job_id": services().planes.repair(caller, app.id, name)}


@bp.delete("/<id>/planes/<name>/realization")
@bp.input(PlaneRemovalQuery, location="query", arg_name="query")
@bp.output(MaybeJobOut, status_code=202)
def remove_plane(id: str, name: str, query: PlaneRemovalQuery) -> Any:
    """Take a plane away from all its sites, or from all but lost ones; its description stays."""
    caller, app = _owned("plane:remove", id)
    _may_stretch("network:unstretch", caller, app, name)
    job_id = services().planes.remove(caller, app.id, name, without=query.sites(), left=query.left == "true")
    return {"job_id": job_id}


@bp.post("/<id>/planes/<name>/forget")
@bp.input(PlaneForgetIn, arg_name="body")
@bp.output(PlaneOut)
def forget_left(id: str, name: str, body: PlaneForgetIn) -> Any:
    """Forget what is left of a plane in sites that will not come back."""
    caller, app = _owned("plane:forget", id)
    services().planes.forget(caller, app.id, name, body.sites)
    return shown(app.name, services().planes.get(caller, app.id, name))


def _owned(rule: str, id: str) -> tuple[Caller, Application]:
    found = services().applications.get(policy().check("application:list"), id)
    caller = policy().check_owned(rule, found.project_id, f"application: there is no application {id!r}")
    return caller, found


def _may_stretch(rule: str, caller: Caller, app: Application, name: str) -> None:
    """A plane realized as stretched is a stretched network: who may make those, may make it."""
    if services().planes.get(caller, app.id, name).realized is Realized.STRETCHED:
        policy().check(rule, app.project_id)
