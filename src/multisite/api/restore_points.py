"""``/v1/restore-points``: what applications can be recovered from."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.common import MaybeJobOut
from multisite.api.schemas.restore_points import RestorePointFilter, RestorePointOut, RestorePointsOut
from multisite.api.state import policy, services
from multisite.domain.model import RestorePoint

bp = APIBlueprint("restore_points", __name__, url_prefix="/v1/restore-points", tag="Restore points")


@bp.get("")
@bp.input(RestorePointFilter, location="query", arg_name="query")
@bp.output(RestorePointsOut)
def list_restore_points(query: RestorePointFilter) -> Any:
    """List the restore points of the project, or of one application (name or id)."""
    caller = policy().check("restore_point:list")
    return {"restore_points": services().protections.restore_points(caller, application=query.application)}


@bp.get("/<id>")
@bp.output(RestorePointOut)
def show_restore_point(id: str) -> Any:
    """Show a restore point."""
    return _owned("restore_point:show", id)


@bp.delete("/<id>")
@bp.output(MaybeJobOut, status_code=202)
def delete_restore_point(id: str) -> Any:
    """Delete a restore point with its backups; refused while another one builds on it."""
    point = _owned("restore_point:delete", id)
    caller = policy().check("restore_point:delete", point.project_id)
    return {"job_id": services().protections.delete_restore_point(caller, id)}


@bp.post("/rescan")
@bp.output(RestorePointsOut)
def rescan_restore_points() -> Any:
    """Read the backup store again and bring the database in line with it."""
    caller = policy().check("restore_point:rescan")
    return {"restore_points": services().protections.rescan(caller)}


def _owned(rule: str, id: str) -> RestorePoint:
    found = services().protections.restore_point(policy().check("restore_point:list"), id)
    policy().check_owned(rule, found.project_id, f"restore point: there is no restore point {id!r}")
    return found
