"""``/v1/restore-points``: what applications can be recovered from."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.restore_points import RestorePointFilter, RestorePointOut, RestorePointsOut
from multisite.api.state import policy, services

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
    caller = policy().check("restore_point:list")
    found = services().protections.restore_point(caller, id)
    policy().check_owned(
        "restore_point:show", found.project_id, f"restore point: there is no restore point {id!r}"
    )
    return found


@bp.post("/rescan")
@bp.output(RestorePointsOut)
def rescan_restore_points() -> Any:
    """Read the backup store again and bring the database in line with it."""
    caller = policy().check("restore_point:rescan")
    return {"restore_points": services().protections.rescan(caller)}
