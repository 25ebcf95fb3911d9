"""``/v1/audit``: who changed what, where, when, and what came of it."""

from __future__ import annotations

from multisite.api.policy import READER
from multisite.api.routing import Resource
from multisite.api.schemas.audit import AuditFilter, AuditOut
from multisite.api.state import services
from multisite.domain.caller import Caller

resource = Resource("audit", "/v1/audit", tag="Audit")


@resource.route("GET", "audit:list", READER, query=AuditFilter, out=AuditOut)
def list_audit(caller: Caller, query: AuditFilter) -> object:
    """List what was changed for the project (administrators: for all), newest first."""
    project = None if caller.is_admin else caller.project_id
    return {"audit": services().audit.list(project, **dict(query))}
