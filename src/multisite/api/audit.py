"""``/v1/audit``: who changed what, where, when, and what came of it."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.audit import AuditFilter, AuditOut
from multisite.api.state import policy, services

bp = APIBlueprint("audit", __name__, url_prefix="/v1/audit", tag="Audit")


@bp.get("")
@bp.input(AuditFilter, location="query", arg_name="query")
@bp.output(AuditOut)
def list_audit(query: AuditFilter) -> Any:
    """List what was changed for the project (administrators: for all), newest first."""
    caller = policy().check("audit:list")
    project = None if caller.is_admin else caller.project_id
    return {"audit": services().audit.list(project, **dict(query))}
