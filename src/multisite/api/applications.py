"""``/v1/applications``: the VNFs of a project."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.applications import ApplicationIn, ApplicationOut, ApplicationsOut
from multisite.api.state import policy, services
from multisite.domain.model import Application

bp = APIBlueprint("applications", __name__, url_prefix="/v1/applications", tag="Applications")


@bp.get("")
@bp.output(ApplicationsOut)
def list_applications() -> Any:
    """List the applications of the project."""
    caller = policy().check("application:list")
    return {"applications": services().applications.list(caller)}


@bp.post("")
@bp.input(ApplicationIn, arg_name="body")
@bp.output(ApplicationOut, status_code=201)
def create_application(body: ApplicationIn) -> Any:
    """Describe an application: its servers in boot order, or the metadata they share."""
    caller = policy().check("application:create")
    servers = None if body.servers is None else [server.model_dump() for server in body.servers]
    return services().applications.create(
        caller, body.name, body.site, servers=servers, metadata_tag=body.metadata_tag
    )


@bp.get("/<id>")
@bp.output(ApplicationOut)
def show_application(id: str) -> Any:
    """Show an application."""
    return _owned("application:show", id)


@bp.delete("/<id>")
@bp.output({}, status_code=204, description="It is gone")
def delete_application(id: str) -> Any:
    """Forget an application; its servers are not touched."""
    found = _owned("application:delete", id)
    services().applications.delete(policy().check("application:delete", found.project_id), id)
    return "", 204


def _owned(rule: str, id: str) -> Application:
    found = services().applications.get(policy().check("application:list"), id)
    policy().check_owned(rule, found.project_id, f"application: there is no application {id!r}")
    return found
