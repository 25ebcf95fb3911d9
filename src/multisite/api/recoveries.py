"""``/v1/recoveries``: looking before, starting, resuming and undoing."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown, started, taken
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.model import Preview, Recovery
from multisite.recovery.service import RecoveryService, Rules


class MappingIn(taken(Rules, "Rules")):  # type: ignore[misc]  # made at run time
    __doc__ = Rules.__doc__


class PreviewIn(In):
    restore_point: Ref
    target_site: Name
    mapping: MappingIn = Field(default_factory=MappingIn)
    supersede: Annotated[
        bool,
        Field(description="The operator gives up the copies that other recoveries made of the application"),
    ] = False

    def rules(self) -> dict[str, Any]:
        """The mapping, only what was said."""
        rules: dict[str, Any] = self.mapping.model_dump(exclude_unset=True)
        return rules


class StartIn(PreviewIn):
    confirm: Annotated[Name, Field(description="The application's name, as a sign that this is meant")]
    preview: Annotated[
        Ref | None, Field(description="The digest of a preview: start only if it would still be the same")
    ] = None


PreviewOut = shown(
    Preview,
    more={"startable": bool, "digest": str},
    doc="``startable`` is false while a problem blocks; ``data_age_seconds`` is what would be lost.",
)
RecoveryOut = shown(Recovery)
RecoveriesOut = page_of("RecoveriesOut", recoveries=list[Recovery])
RecoveryStartedOut = started("RecoveryStartedOut", recovery=Recovery)


recoveries = Service("recoveries", RecoveryService)
OWNED = Owned("recovery", lambda caller, id: recoveries().get(caller, id))
resource = Resource("recoveries", "/v1/recoveries", tag="Recoveries", owned=OWNED)


@resource.route("GET", "recovery:list", READER, query=PageQuery, out=RecoveriesOut)
def list_recoveries(caller: Caller, query: PageQuery) -> object:
    """List the recoveries of the project."""
    return {"recoveries": recoveries().list(caller, query.page())}


@resource.route("POST /preview", "recovery:preview", MEMBER, body=PreviewIn, out=PreviewOut, recorded=False)
def preview_recovery(caller: Caller, body: PreviewIn) -> object:
    """What a recovery would do, what data would be lost and what stands in the way; changes nothing."""
    return recoveries().preview(
        caller, body.restore_point, body.target_site, body.rules(), supersede=body.supersede
    )


@resource.route("POST", "recovery:start", MEMBER, body=StartIn, out=RecoveryStartedOut, status=202)
def start_recovery(caller: Caller, body: StartIn) -> object:
    """Recover an application; ``confirm`` is its name, typed by the person who decides."""
    return _started(
        recoveries().start(
            caller,
            body.restore_point,
            body.target_site,
            body.rules(),
            confirm=body.confirm,
            preview=body.preview,
            supersede=body.supersede,
        )
    )


@resource.route("GET /<id>", "recovery:show", READER, out=RecoveryOut)
def show_recovery(_caller: Caller, found: Recovery) -> object:
    """Show a recovery."""
    return found


@resource.route("POST /<id>/resume", "recovery:resume", MEMBER, out=RecoveryStartedOut, status=202)
def resume_recovery(caller: Caller, found: Recovery) -> object:
    """Go on with a paused recovery; what it made already is kept."""
    return _started(recoveries().resume(caller, found.id))


@resource.route("POST /<id>/undo", "recovery:undo", MEMBER, out=RecoveryStartedOut, status=202)
def undo_recovery(caller: Caller, found: Recovery) -> object:
    """Remove everything a recovery made at the target, last first."""
    return _started(recoveries().undo(caller, found.id))


def _started(recovery: Recovery) -> object:
    return {"job_id": recovery.job_id, "recovery": recovery}
