"""``/v1/protections``: how applications are protected, and protecting them now."""

from __future__ import annotations

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import JobStartedOut
from multisite.api.schemas.protections import ProtectionIn, ProtectionOut, ProtectionsOut, RunIn
from multisite.api.state import services
from multisite.domain.caller import Caller
from multisite.domain.model import Protection

OWNED = Owned("protection", lambda caller, id: services().protections.get(caller, id))
resource = Resource("protections", "/v1/protections", tag="Protections", owned=OWNED)


@resource.route("GET", "protection:list", READER, out=ProtectionsOut)
def list_protections(caller: Caller) -> object:
    """List the protections of the project."""
    return {"protections": services().protections.list(caller)}


@resource.route("POST", "protection:create", MEMBER, body=ProtectionIn, out=ProtectionOut, status=201)
def create_protection(caller: Caller, body: ProtectionIn) -> object:
    """Decide how an application is protected."""
    return services().protections.create(caller, **body.model_dump(exclude_none=True))


@resource.route("GET /<id>", "protection:show", READER, out=ProtectionOut)
def show_protection(_caller: Caller, found: Protection) -> object:
    """Show a protection."""
    return found


@resource.route("DELETE /<id>", "protection:delete", MEMBER)
def delete_protection(caller: Caller, found: Protection) -> None:
    """Delete a protection; its restore points stay."""
    services().protections.delete(caller, found.id)


@resource.route("POST /<id>/run", "protection:run", MEMBER, body=RunIn, out=JobStartedOut, status=202)
def run_protection(caller: Caller, found: Protection, body: RunIn) -> object:
    """Protect now: makes one restore point; watch the job."""
    return {"job_id": services().protections.run(caller, found.id, incremental=body.incremental)}
