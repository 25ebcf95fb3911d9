"""``/v1/applications/{id}/planes``: described once, realized one by one."""

from __future__ import annotations

from multisite.api.applications import OWNED
from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Resource
from multisite.api.schemas.common import MaybeJobOut
from multisite.api.schemas.derived import answer
from multisite.api.schemas.findings import CheckOut
from multisite.api.schemas.planes import (
    PlaneForgetIn,
    PlaneMadeOut,
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
from multisite.domain.planes import PlaneRecord, Realized

resource = Resource("planes", "/v1/applications", tag="Planes", owned=OWNED)


@resource.route("GET /<id>/planes", "plane:list", READER, out=PlanesOut)
def list_planes(caller: Caller, app: Application) -> object:
    """List the planes of an application, and what is there of each."""
    return {"planes": [_shown(app, plane) for plane in services().planes.list(caller, app.id)]}


@resource.route("PUT /<id>/planes", "plane:describe", MEMBER, body=PlanesIn, out=PlanesOut)
def describe_planes(caller: Caller, app: Application, body: PlanesIn) -> object:
    """Describe all planes anew; those that are realized must stay as they are."""
    document = [plane.model_dump(exclude_none=True) for plane in body.planes]
    found = services().planes.describe(caller, app.id, document, body.sites)
    return {"planes": [_shown(app, plane) for plane in found]}


@resource.route("GET /<id>/planes/<name>", "plane:show", READER, out=PlaneOut)
def show_plane(caller: Caller, app: Application, name: str) -> object:
    """Show a plane."""
    return _shown(app, services().planes.get(caller, app.id, name))


@resource.route(
    "POST /<id>/planes/<name>/preview", "plane:preview", MEMBER, out=PlanePreviewOut, recorded=False
)
def preview_plane(caller: Caller, app: Application, name: str) -> object:
    """What realizing a plane would make (stretched: as network:preview); changes nothing."""
    _may_stretch("network:preview", caller, app, name)
    return services().planes.preview(caller, app.id, name)


@resource.route("POST /<id>/planes/<name>/realize", "plane:realize", MEMBER, out=PlaneStartedOut, status=202)
def realize_plane(caller: Caller, app: Application, name: str) -> object:
    """Make a plane in all its sites, or in none (stretched: as network:stretch)."""
    _may_stretch("network:stretch", caller, app, name)
    found = services().planes.realize(caller, app.id, name)
    return {"job_id": found.job_id, "plane": _shown(app, found)}


@resource.route("POST /<id>/planes/<name>/check", "plane:check", MEMBER, out=CheckOut, recorded=False)
def check_plane(caller: Caller, app: Application, name: str) -> object:
    """Compare a plane with what its sites have now; changes nothing."""
    return services().planes.check(caller, app.id, name)


@resource.route("POST /<id>/planes/<name>/repair", "plane:repair", MEMBER, out=MaybeJobOut, status=202)
def repair_plane(caller: Caller, app: Application, name: str) -> object:
    """Repair what can be repaired without taking anything away; no job when there is nothing to do."""
    return {"job_id": services().planes.repair(caller, app.id, name)}


@resource.route(
    "DELETE /<id>/planes/<name>/realization", "plane:remove", MEMBER,
    query=PlaneRemovalQuery, out=MaybeJobOut, status=202,
)  # fmt: skip
def remove_plane(caller: Caller, app: Application, name: str, query: PlaneRemovalQuery) -> object:
    """Take a plane away from its sites, but for lost ones (stretched: as network:unstretch); it stays described."""
    _may_stretch("network:unstretch", caller, app, name)
    job_id = services().planes.remove(caller, app.id, name, without=query.sites(), left=query.left == "true")
    return {"job_id": job_id}


@resource.route("POST /<id>/planes/<name>/forget", "plane:forget", MEMBER, body=PlaneForgetIn, out=PlaneOut)
def forget_left(caller: Caller, app: Application, name: str, body: PlaneForgetIn) -> object:
    """Forget what is left of a plane in sites that will not come back."""
    services().planes.forget(caller, app.id, name, body.sites)
    return _shown(app, services().planes.get(caller, app.id, name))


def _shown(app: Application, plane: PlaneRecord) -> object:
    made = [answer(PlaneMadeOut, part, site=site) for site, part in plane.made.items()]
    left = sorted({part.site for part in plane.left})
    return answer(PlaneOut, plane, explained=plane.plane.explained(app.name), made=made, left=left)


def _may_stretch(rule: str, caller: Caller, app: Application, name: str) -> None:
    """A plane realized as stretched is a stretched network: who may make those, may make it."""
    if services().planes.get(caller, app.id, name).realized is Realized.STRETCHED:
        policy().check(rule, app.project_id)
