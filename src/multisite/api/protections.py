"""``/v1/protections``: how applications are protected, and protecting them now."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.common import JobStartedOut
from multisite.api.schemas.protections import ProtectionIn, ProtectionOut, ProtectionsOut, RunIn
from multisite.api.state import policy, services
from multisite.domain.model import Protection

bp = APIBlueprint("protections", __name__, url_prefix="/v1/protections", tag="Protections")


@bp.get("")
@bp.output(ProtectionsOut)
def list_protections() -> Any:
    """List the protections of the project."""
    caller = policy().check("protection:list")
    return {"protections": services().protections.list(caller)}


@bp.post("")
@bp.input(ProtectionIn, arg_name="body")
@bp.output(ProtectionOut, status_code=201)
def create_protection(body: ProtectionIn) -> Any:
    """Decide how an application is protected."""
    caller = policy().check("protection:create")
    return services().protections.create(caller, **body.model_dump(exclude_none=True))


@bp.get("/<id>")
@bp.output(ProtectionOut)
def show_protection(id: str) -> Any:
    """Show a protection."""
    return _owned("protection:show", id)


@bp.delete("/<id>")
@bp.output({}, status_code=204, description="It is gone")
def delete_protection(id: str) -> Any:
    """Delete a protection; its restore points stay."""
    found = _owned("protection:delete", id)
    services().protections.delete(policy().check("protection:delete", found.project_id), id)
    return "", 204


@bp.post("/<id>/run")
@bp.input(RunIn, arg_name="body")
@bp.output(JobStartedOut, status_code=202)
def run_protection(id: str, body: RunIn) -> Any:
    """Protect now: makes one restore point; watch the job."""
    found = _owned("protection:run", id)
    caller = policy().check("protection:run", found.project_id)
    return {"job_id": services().protections.run(caller, id, incremental=body.incremental)}


def _owned(rule: str, id: str) -> Protection:
    found = services().protections.get(policy().check("protection:list"), id)
    policy().check_owned(rule, found.project_id, f"protection: there is no protection {id!r}")
    return found
