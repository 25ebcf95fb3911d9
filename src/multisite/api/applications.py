"""``/v1/applications``: the VNFs of a project."""

from __future__ import annotations

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.applications import ApplicationIn, ApplicationOut, ApplicationsOut
from multisite.api.state import services
from multisite.domain.caller import Caller
from multisite.domain.model import Application

OWNED = Owned("application", lambda caller, id: services().applications.get(caller, id))
resource = Resource("applications", "/v1/applications", tag="Applications", owned=OWNED)


@resource.route("GET", "application:list", READER, out=ApplicationsOut)
def list_applications(caller: Caller) -> object:
    """List the applications of the project."""
    return {"applications": services().applications.list(caller)}


@resource.route("POST", "application:create", MEMBER, body=ApplicationIn, out=ApplicationOut, status=201)
def create_application(caller: Caller, body: ApplicationIn) -> object:
    """Describe an application: its servers in boot order, or the metadata they share."""
    return services().applications.create(caller, **body.model_dump())


@resource.route("GET /<id>", "application:show", READER, out=ApplicationOut)
def show_application(_caller: Caller, found: Application) -> object:
    """Show an application."""
    return found


@resource.route("DELETE /<id>", "application:delete", MEMBER)
def delete_application(caller: Caller, found: Application) -> None:
    """Forget an application; its servers are not touched."""
    services().applications.delete(caller, found.id)
