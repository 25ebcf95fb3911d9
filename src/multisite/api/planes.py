"""``/v1/applications/{id}/planes``: described once, realized one by one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from multisite.api.applications import OWNED
from multisite.api.networks import Address
from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Resource
from multisite.api.schemas.common import In, MaybeJobOut, Name, Query
from multisite.api.schemas.derived import answer, group, shown, started
from multisite.api.schemas.findings import CheckOut
from multisite.api.state import Service, policy
from multisite.domain.caller import Caller
from multisite.domain.model import Application
from multisite.domain.planes import MadeAt, PlaneRecord, Realized
from multisite.networks.planes.service import PlanePreview, PlaneService

_NAMES = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(,[A-Za-z0-9][A-Za-z0-9._-]{0,63})*$"


class PlaneIn(In):
    """``sites``: default those of the document; ``cidr``: needed when stretched, else a default pool gives it."""

    name: Name
    role: Literal["external", "inter-component", "backup", "management"]
    realized: Annotated[
        Literal["stretched", "l3", "local"] | None, Field(description="By default what its role needs")
    ] = None
    cidr: Annotated[
        Address | None, Field(description="Of a plane that is not stretched: the same in each site")
    ] = None
    sites: Annotated[list[Name] | None, Field(min_length=1, max_length=50)] = None


class PlanesIn(In):
    """All planes of the application; ``sites``: of those that name none, default the application's own."""

    planes: Annotated[list[PlaneIn], Field(max_length=32)]
    sites: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)


class PlaneRemovalQuery(Query):
    without: Annotated[
        str | None,
        Field(
            pattern=_NAMES, max_length=2048, description="Lost sites, by commas: nothing is done there now"
        ),
    ] = None
    left: Annotated[
        Literal["true", "false"],
        Field(description="Only what was left in sites that the plane was removed without before"),
    ] = "false"

    def sites(self) -> tuple[str, ...]:
        return tuple(self.without.split(",")) if self.without else ()


class PlaneForgetIn(In):
    sites: Annotated[list[Name], Field(min_length=1, max_length=50)]


PlaneMadeOut = shown(
    MadeAt,
    "PlaneMadeOut",
    without=("mtu", "external_id", "project_id", "pool_id"),
    more={"site": str},
    doc="``router_id``: of planes realized as l3.",
)
PlaneOut = shown(
    PlaneRecord,
    "PlaneOut",
    without=("id", "application_id", "created_at"),
    more={"explained": str, "sentence": str, "made": list[MadeAt], "left": list[str]},
    doc="""``sentence`` says what the state means, ``explained`` how it is realized and why.

``left``: sites it was removed without, where something of it may still be.""",
)
PlanesOut = group("PlanesOut", planes=list[PlaneRecord])
PlanePreviewOut = shown(
    PlanePreview,
    doc="``actions``: what would be made; ``notes``: what follows from it; startable without blocking problems.",
)
PlaneStartedOut = started("PlaneStartedOut", plane=PlaneRecord)


planes = Service("planes", PlaneService)
resource = Resource("planes", "/v1/applications", tag="Planes", owned=OWNED)


@resource.route("GET /<id>/planes", "plane:list", READER, out=PlanesOut)
def list_planes(caller: Caller, app: Application) -> object:
    """List the planes of an application, and what is there of each."""
    return {"planes": [_shown(app, plane) for plane in planes().list(caller, app.id)]}


@resource.route("PUT /<id>/planes", "plane:describe", MEMBER, body=PlanesIn, out=PlanesOut)
def describe_planes(caller: Caller, app: Application, body: PlanesIn) -> object:
    """Describe all planes anew; those that are realized must stay as they are."""
    document = [plane.model_dump(exclude_none=True) for plane in body.planes]
    found = planes().describe(caller, app.id, document, body.sites)
    return {"planes": [_shown(app, plane) for plane in found]}


@resource.route("GET /<id>/planes/<name>", "plane:show", READER, out=PlaneOut)
def show_plane(caller: Caller, app: Application, name: str) -> object:
    """Show a plane."""
    return _shown(app, planes().get(caller, app.id, name))


@resource.route(
    "POST /<id>/planes/<name>/preview", "plane:preview", MEMBER, out=PlanePreviewOut, recorded=False
)
def preview_plane(caller: Caller, app: Application, name: str) -> object:
    """What realizing a plane would make (stretched: as network:preview); changes nothing."""
    _may_stretch("network:preview", caller, app, name)
    return planes().preview(caller, app.id, name)


@resource.route("POST /<id>/planes/<name>/realize", "plane:realize", MEMBER, out=PlaneStartedOut, status=202)
def realize_plane(caller: Caller, app: Application, name: str) -> object:
    """Make a plane in all its sites, or in none (stretched: as network:stretch)."""
    _may_stretch("network:stretch", caller, app, name)
    found = planes().realize(caller, app.id, name)
    return {"job_id": found.job_id, "plane": _shown(app, found)}


@resource.route("POST /<id>/planes/<name>/check", "plane:check", MEMBER, out=CheckOut, recorded=False)
def check_plane(caller: Caller, app: Application, name: str) -> object:
    """Compare a plane with what its sites have now; changes nothing."""
    return planes().check(caller, app.id, name)


@resource.route("POST /<id>/planes/<name>/repair", "plane:repair", MEMBER, out=MaybeJobOut, status=202)
def repair_plane(caller: Caller, app: Application, name: str) -> object:
    """Repair what can be repaired without taking anything away; no job when there is nothing to do."""
    return {"job_id": planes().repair(caller, app.id, name)}


@resource.route(
    "DELETE /<id>/planes/<name>/realization", "plane:remove", MEMBER,
    query=PlaneRemovalQuery, out=MaybeJobOut, status=202,
)  # fmt: skip
def remove_plane(caller: Caller, app: Application, name: str, query: PlaneRemovalQuery) -> object:
    """Take a plane away from its sites, but for lost ones (stretched: as network:unstretch); it stays described."""
    _may_stretch("network:unstretch", caller, app, name)
    job_id = planes().remove(caller, app.id, name, without=query.sites(), left=query.left == "true")
    return {"job_id": job_id}


@resource.route("POST /<id>/planes/<name>/forget", "plane:forget", MEMBER, body=PlaneForgetIn, out=PlaneOut)
def forget_left(caller: Caller, app: Application, name: str, body: PlaneForgetIn) -> object:
    """Forget what is left of a plane in sites that will not come back."""
    planes().forget(caller, app.id, name, body.sites)
    return _shown(app, planes().get(caller, app.id, name))


def _shown(app: Application, plane: PlaneRecord) -> object:
    made = [answer(PlaneMadeOut, part, site=site) for site, part in plane.made.items()]
    left = sorted({part.site for part in plane.left})
    return answer(PlaneOut, plane, explained=plane.plane.explained(app.name), made=made, left=left)


def _may_stretch(rule: str, caller: Caller, app: Application, name: str) -> None:
    """A plane realized as stretched is a stretched network: who may make those, may make it."""
    if planes().get(caller, app.id, name).realized is Realized.STRETCHED:
        policy().check(rule, app.project_id)
