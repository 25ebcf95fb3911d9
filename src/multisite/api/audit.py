"""``/v1/audit``: who changed what, where, when, and what came of it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from multisite.api.policy import READER
from multisite.api.routing import Resource
from multisite.api.schemas.common import PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown
from multisite.api.state import Service
from multisite.domain.audit import AuditRecord
from multisite.domain.caller import Caller
from multisite.domain.validation import Moment
from multisite.store.trail import AuditTrail


def _written_out(value: object) -> object:
    """Pydantic would also take a number, as seconds since 1970: nobody means that in an address."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        raise ValueError(f"{value!r} is not a time like 2026-01-31T12:00:00Z")
    return value


class AuditFilter(PageQuery):
    job: Ref | None = None
    site: Ref | None = None
    subject: Annotated[
        Ref | None,
        Field(description="An application (id or name), protection, restore point, recovery or resource"),
    ] = None
    since: Annotated[
        Moment | None, BeforeValidator(_written_out), Field(description="ISO 8601 with time zone")
    ] = None
    marker: Annotated[
        str | None,
        Field(pattern=r"^[1-9][0-9]{0,17}$", description="The id of the last item of the page before"),
    ] = None


AuditRecordOut = shown(
    AuditRecord,
    doc="""A change and what came of it.

``path`` is a template; ``attempt`` of the step, or of its undo when ``undoing``; ``cloud_request_id`` finds the
change in the site's own logs; ``seconds``: how long its answer took.""",
)
AuditOut = page_of("AuditOut", audit=list[AuditRecord])


audit = Service("audit", AuditTrail)
resource = Resource("audit", "/v1/audit", tag="Audit")


@resource.route("GET", "audit:list", READER, query=AuditFilter, out=AuditOut)
def list_audit(caller: Caller, query: AuditFilter) -> object:
    """List what was changed for the project (administrators: for all), newest first."""
    return {"audit": audit().list(caller.scope, page=query.page(), **query.filters())}
