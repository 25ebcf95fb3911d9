"""``/v1/protections``: how applications are protected, and protecting them now."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, JobStartedOut, Name, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.model import Protection
from multisite.recovery.service import ProtectionService


class ProtectionIn(In):
    """``options`` are those of the method; what is not said has the method's default."""

    application: Ref
    method: Name = "consistent-backup"
    target_site: Name | None = None
    options: Annotated[dict[Name, Any], Field(max_length=50)] = Field(default_factory=dict)


ProtectionOut = shown(Protection)
ProtectionsOut = page_of("ProtectionsOut", protections=list[Protection])


class RunIn(In):
    """``incremental``: true, false (full), or null: as the protection's ``full_every`` says."""

    incremental: bool | None = None


protections = Service("protections", ProtectionService)
OWNED = Owned("protection", lambda caller, id: protections().get(caller, id))
resource = Resource("protections", "/v1/protections", tag="Protections", owned=OWNED)


@resource.route("GET", "protection:list", READER, query=PageQuery, out=ProtectionsOut)
def list_protections(caller: Caller, query: PageQuery) -> object:
    """List the protections of the project."""
    return {"protections": protections().list(caller, page=query.page())}


@resource.route("POST", "protection:create", MEMBER, body=ProtectionIn, out=ProtectionOut, status=201)
def create_protection(caller: Caller, body: ProtectionIn) -> object:
    """Decide how an application is protected."""
    return protections().create(caller, **body.model_dump(exclude_none=True))


@resource.route("GET /<id>", "protection:show", READER, out=ProtectionOut)
def show_protection(_caller: Caller, found: Protection) -> object:
    """Show a protection."""
    return found


@resource.route("DELETE /<id>", "protection:delete", MEMBER)
def delete_protection(caller: Caller, found: Protection) -> None:
    """Delete a protection; its restore points stay."""
    protections().delete(caller, found.id)


@resource.route("POST /<id>/run", "protection:run", MEMBER, body=RunIn, out=JobStartedOut, status=202)
def run_protection(caller: Caller, found: Protection, body: RunIn) -> object:
    """Protect now: makes one restore point; watch the job."""
    return {"job_id": protections().run(caller, found.id, incremental=body.incremental)}
