"""``/v1/protections``: how applications are protected, and protecting them now."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import Expression, In, JobStartedOut, Name, Ref
from multisite.api.schemas.derived import group, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.model import Protection
from multisite.recovery.service import (
    DEFAULT_FREEZE_SECONDS,
    FREEZE_SECONDS,
    MAX_GAP_SECONDS,
    METHODS,
    ProtectionService,
)


def _known_method(name: str) -> str:
    if name not in METHODS:
        raise ValueError(f"{name!r} is not a protection method; there are: {', '.join(sorted(METHODS))}")
    return name


class ProtectionIn(In):
    application: Ref
    method: Annotated[str, AfterValidator(_known_method)] = "consistent-backup"
    target_site: Name | None = None
    freeze_timeout: Annotated[
        int,
        Field(
            ge=FREEZE_SECONDS[0],
            le=FREEZE_SECONDS[1],
            description="Seconds after which a site thaws a server by itself",
        ),
    ] = DEFAULT_FREEZE_SECONDS
    quiesce: Annotated[bool, Field(description="False: no server is frozen (crash-consistent only)")] = True
    full_every: Annotated[
        int, Field(ge=1, le=365, description="Every how many runs a full backup is made")
    ] = 7
    console_mark: Expression | None = None
    snapshot_gap_seconds: Annotated[float, Field(ge=0, le=MAX_GAP_SECONDS)] = 0.0


ProtectionOut = shown(Protection)
ProtectionsOut = group("ProtectionsOut", protections=list[Protection])


class RunIn(In):
    """``incremental``: true, false (full), or null: as the protection's ``full_every`` says."""

    incremental: bool | None = None


protections = Service("protections", ProtectionService)
OWNED = Owned("protection", lambda caller, id: protections().get(caller, id))
resource = Resource("protections", "/v1/protections", tag="Protections", owned=OWNED)


@resource.route("GET", "protection:list", READER, out=ProtectionsOut)
def list_protections(caller: Caller) -> object:
    """List the protections of the project."""
    return {"protections": protections().list(caller)}


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
