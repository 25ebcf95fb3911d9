"""``/v1/applications``: the VNFs of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from multisite.api.policy import MEMBER, READER
from multisite.api.recoveries import failback
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Ref
from multisite.api.schemas.derived import answer, page_of, shown
from multisite.api.state import Service
from multisite.applications.service import ApplicationService
from multisite.domain.caller import Caller
from multisite.domain.model import Application
from multisite.domain.old_copy import OldCopy


class ServerIn(In):
    id: Ref
    quiesce: Annotated[bool, Field(description="False for a member that must not be frozen")] = True
    role: Annotated[
        Literal["active", "standby"],
        Field(description="A protection with standby_only leaves active members alone"),
    ] = "active"


class ApplicationIn(In):
    """Either ``servers`` in boot order, or the metadata (``key=value``) they share."""

    name: Name
    site: Name
    servers: Annotated[list[ServerIn], Field(min_length=1, max_length=100)] | None = None
    metadata_tag: Annotated[str, Field(pattern=r"^[^=\x00-\x1f]{1,255}=[^\x00-\x1f]{1,255}$")] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> ApplicationIn:
        if (self.servers is None) == (self.metadata_tag is None):
            raise ValueError("servers, metadata_tag: give exactly one of the two")
        if self.servers and len({server.id for server in self.servers}) != len(self.servers):
            raise ValueError("servers: a server is named twice")
        return self


ApplicationOut = shown(
    Application,
    more={"old_copy": OldCopy | None},
    doc="``old_copy``: its earlier copies, as they were seen last, once a recovery made another one the application.",
)
ApplicationsOut = page_of("ApplicationsOut", applications=list[Application])


applications = Service("applications", ApplicationService)
OWNED = Owned("application", lambda caller, id: applications().get(caller, id))
resource = Resource("applications", "/v1/applications", tag="Applications", owned=OWNED)


@resource.route("GET", "application:list", READER, query=PageQuery, out=ApplicationsOut)
def list_applications(caller: Caller, query: PageQuery) -> object:
    """List the applications of the project."""
    return {"applications": _shown(applications().list(caller, page=query.page()))}


@resource.route("POST", "application:create", MEMBER, body=ApplicationIn, out=ApplicationOut, status=201)
def create_application(caller: Caller, body: ApplicationIn) -> object:
    """Describe an application: its servers in boot order, or the metadata they share."""
    return _shown([applications().create(caller, **body.model_dump())])[0]


@resource.route("GET /<id>", "application:show", READER, out=ApplicationOut)
def show_application(_caller: Caller, found: Application) -> object:
    """Show an application."""
    return _shown([found])[0]


@resource.route("DELETE /<id>", "application:delete", MEMBER)
def delete_application(caller: Caller, found: Application) -> None:
    """Forget an application; its servers are not touched."""
    applications().delete(caller, found.id)


def _shown(found: Sequence[Application]) -> list[dict[str, Any]]:
    copies = failback().old_copies([one.id for one in found])
    return [answer(ApplicationOut, one, old_copy=copies.get(one.id)) for one in found]
