"""``/v1/drills``: recoveries of a copy in isolated networks, which prove that it could be done."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.recoveries import MappingIn, recoveries
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Ref
from multisite.api.schemas.derived import group, page_of, shown, started, taken
from multisite.domain.caller import Caller
from multisite.domain.drill import DrillOptions, DrillStatus


class DrillOptionsIn(taken(DrillOptions, "DrillOptions")):  # type: ignore[misc]  # made at run time
    __doc__ = DrillOptions.__doc__


class DrillIn(In):
    restore_point: Ref
    target_site: Annotated[
        Name | None, Field(description="Not needed with a recovery plan, which has one")
    ] = None
    mapping: MappingIn = Field(default_factory=MappingIn)
    plan: Annotated[
        Ref | None, Field(description="A recovery plan, of whose rules those of the mapping replace some")
    ] = None
    options: DrillOptionsIn = Field(default_factory=DrillOptionsIn)
    preview: Annotated[
        Ref | None, Field(description="The digest of a preview: start only if it would still be the same")
    ] = None


DrillOut = shown(DrillStatus, "DrillOut")
DrillsOut = page_of("DrillsOut", drills=list[DrillStatus])
DrillStartedOut = started("DrillStartedOut", drill=DrillStatus)
DrillReportOut = group(
    "DrillReportOut",
    "The signed report: a line with the signature, and JSON; the same as a page; the installation's public key (PEM).",
    report=str,
    page=str,
    public_key=str,
)

OWNED = Owned("drill", lambda caller, id: recoveries().drills.get(caller, id))
resource = Resource("drills", "/v1/drills", tag="Drills", owned=OWNED)


@resource.route("GET", "drill:list", READER, query=PageQuery, out=DrillsOut)
def list_drills(caller: Caller, query: PageQuery) -> object:
    """List the drills of the project."""
    return {"drills": recoveries().drills.list(caller, query.page())}


@resource.route("POST", "drill:start", MEMBER, body=DrillIn, out=DrillStartedOut, status=202)
def start_drill(caller: Caller, body: DrillIn) -> object:
    """Recover a copy of an application in isolated networks, while it runs."""
    return _started(
        recoveries().drills.start(
            caller,
            body.restore_point,
            body.target_site,
            body.mapping.model_dump(exclude_unset=True),
            body.options.model_dump(mode="json"),
            preview=body.preview,
            plan=body.plan,
        )
    )


@resource.route("GET /<id>", "drill:show", READER, out=DrillOut)
def show_drill(_caller: Caller, found: DrillStatus) -> object:
    """Show a drill."""
    return found


@resource.route("POST /<id>/end", "drill:end", MEMBER, out=DrillStartedOut, status=202)
def end_drill(caller: Caller, found: DrillStatus) -> object:
    """Remove what a kept drill has made, or what could not be removed."""
    return _started(recoveries().drills.end(caller, found.id))


@resource.route("GET /<id>/report", "drill:report", READER, out=DrillReportOut)
def show_drill_report(caller: Caller, found: DrillStatus) -> object:
    """The report of a drill, signed."""
    drills = recoveries().drills
    sealed, page = drills.report(caller, found.id), drills.page(caller, found.id)
    return {"report": sealed, "page": page, "public_key": drills.public_key()}


def _started(drill: DrillStatus) -> object:
    return {"job_id": drill.job_id, "drill": drill}
