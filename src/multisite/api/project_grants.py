"""``/v1/project-grants``: which projects of a site are for which of ours."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policy import ADMIN, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.model import ProjectGrant
from multisite.sites.grants import ProjectGrantService


class ProjectGrantIn(In):
    project_id: Annotated[Ref, Field(description="A project of the Keystone this service trusts")]
    site: Name
    site_project_id: Annotated[Ref, Field(description="The project of the site that is for it")]
    is_default: Annotated[
        bool, Field(description="Everything is done there that chooses no other; the first is so by itself")
    ] = False


ProjectGrantOut = shown(ProjectGrant)
ProjectGrantsOut = page_of("ProjectGrantsOut", project_grants=list[ProjectGrant])

grants = Service("grants", ProjectGrantService)
OWNED = Owned("project_grant", lambda caller, id: grants().get(caller, id))
resource = Resource("project_grants", "/v1/project-grants", tag="Sites", owned=OWNED)


@resource.route("GET", "project_grant:list", READER, query=PageQuery, out=ProjectGrantsOut)
def list_project_grants(caller: Caller, query: PageQuery) -> object:
    """List the grants of the project (administrators: of all)."""
    return {"project_grants": grants().list(caller, query.page())}


@resource.route("POST", "project_grant:create", ADMIN, body=ProjectGrantIn, out=ProjectGrantOut, status=201)
def create_project_grant(caller: Caller, body: ProjectGrantIn) -> object:
    """Say which project of a site is for a project; the service's account needs a role there."""
    wanted = (body.project_id, body.site, body.site_project_id)
    return grants().create(caller, *wanted, is_default=body.is_default)


@resource.route("GET /<id>", "project_grant:show", READER, out=ProjectGrantOut)
def show_project_grant(_caller: Caller, found: ProjectGrant) -> object:
    """Show a grant."""
    return found


@resource.route("POST /<id>/set-default", "project_grant:set_default", ADMIN, out=ProjectGrantOut)
def set_default_project_grant(caller: Caller, found: ProjectGrant) -> object:
    """Make a grant the default of its project in its site."""
    return grants().set_default(caller, found.id)


@resource.route("DELETE /<id>", "project_grant:delete", ADMIN)
def delete_project_grant(caller: Caller, found: ProjectGrant) -> None:
    """Take a grant back; nothing more is done there for the project."""
    grants().delete(caller, found.id)
