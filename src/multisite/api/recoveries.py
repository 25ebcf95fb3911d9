"""``/v1/recoveries``: looking before, starting, resuming and undoing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Ref, Text
from multisite.api.schemas.derived import answer, page_of, shown, started, taken
from multisite.api.state import Service, policy
from multisite.domain.caller import Caller
from multisite.domain.model import Preview, Purpose, Recovery
from multisite.domain.old_copy import OldCopy
from multisite.recovery.service import FailbackService, RecoveryService, Rules


class MappingIn(taken(Rules, "Rules")):  # type: ignore[misc]  # made at run time
    __doc__ = Rules.__doc__


class QuestionIn(In):
    restore_point: Ref
    target_site: Annotated[
        Name | None,
        Field(
            description="Not needed with a recovery plan, which has one, or where the protection has one target"
        ),
    ] = None
    mapping: MappingIn = Field(default_factory=MappingIn)
    plan: Annotated[
        Ref | None, Field(description="A recovery plan, of whose rules those of the mapping replace some")
    ] = None
    supersede: Annotated[
        bool,
        Field(description="The operator gives up the copies that other recoveries made of the application"),
    ] = False

    def rules(self) -> dict[str, Any]:
        """The mapping, only what was said."""
        rules: dict[str, Any] = self.mapping.model_dump(exclude_unset=True)
        return rules


class PreviewIn(QuestionIn):
    purpose: Annotated[
        Literal["disaster", "drill", "move"],
        Field(
            description="Of a drill: a copy in isolated networks, while the application runs; of a move: stop it, and "
            "recover from a restore point made then"
        ),
    ] = "disaster"


class StartIn(QuestionIn):
    purpose: Annotated[
        Literal["disaster", "move"],
        Field(
            description="move: stop the application at the source, make a last restore point, recover from that; needs "
            "the right to run a protection, too"
        ),
    ] = "disaster"
    confirm: Annotated[Name, Field(description="The application's name, as a sign that this is meant")]
    preview: Annotated[
        Ref | None, Field(description="The digest of a preview: start only if it would still be the same")
    ] = None


class AnswerIn(In):
    text: Text


PreviewOut = shown(
    Preview,
    more={"startable": bool, "digest": str},
    doc="``startable`` is false while a problem blocks; ``data_age_seconds`` is what would be lost.",
)
RecoveryOut = shown(
    Recovery,
    without=("described_before",),
    more={"old_copy": OldCopy | None},
    doc="``old_copy``: earlier copies of the application, as they were seen last, when this one is the application.",
)
RecoveriesOut = page_of("RecoveriesOut", recoveries=list[Recovery])
RecoveryStartedOut = started("RecoveryStartedOut", recovery=Recovery)


recoveries = Service("recoveries", RecoveryService)
failback = Service("failback", FailbackService)
OWNED = Owned("recovery", lambda caller, id: recoveries().get(caller, id))
resource = Resource("recoveries", "/v1/recoveries", tag="Recoveries", owned=OWNED)


@resource.route("GET", "recovery:list", READER, query=PageQuery, out=RecoveriesOut)
def list_recoveries(caller: Caller, query: PageQuery) -> object:
    """List the recoveries of the project."""
    return {"recoveries": shown_recoveries(recoveries().list(caller, query.page()))}


@resource.route("POST /preview", "recovery:preview", MEMBER, body=PreviewIn, out=PreviewOut, recorded=False)
def preview_recovery(caller: Caller, body: PreviewIn) -> object:
    """What a recovery would do, what data would be lost and what stands in the way; changes nothing."""
    return recoveries().preview(
        caller,
        body.restore_point,
        body.target_site,
        body.rules(),
        supersede=body.supersede,
        purpose=Purpose(body.purpose),
        plan=body.plan,
    )


@resource.route("POST", "recovery:start", MEMBER, body=StartIn, out=RecoveryStartedOut, status=202)
def start_recovery(caller: Caller, body: StartIn) -> object:
    """Recover or move an application; ``confirm`` is its name, typed by the person who decides."""
    if body.purpose == "move":
        policy().check("protection:run", caller.project_id)
    return _started(
        recoveries().start(
            caller,
            body.restore_point,
            body.target_site,
            body.rules(),
            confirm=body.confirm,
            preview=body.preview,
            supersede=body.supersede,
            plan=body.plan,
            purpose=Purpose(body.purpose),
        )
    )


@resource.route("GET /<id>", "recovery:show", READER, out=RecoveryOut)
def show_recovery(_caller: Caller, found: Recovery) -> object:
    """Show a recovery."""
    return shown_recoveries([found])[0]


@resource.route("POST /<id>/resume", "recovery:resume", MEMBER, out=RecoveryStartedOut, status=202)
def resume_recovery(caller: Caller, found: Recovery) -> object:
    """Go on with a paused recovery; what it made already is kept."""
    return _started(recoveries().resume(caller, found.id))


@resource.route(
    "POST /<id>/answer", "recovery:answer", MEMBER, body=AnswerIn, out=RecoveryStartedOut, status=202
)
def answer_recovery(caller: Caller, found: Recovery, body: AnswerIn) -> object:
    """Answer the question that a recovery waits with, and go on."""
    return _started(recoveries().answer(caller, found.id, body.text))


@resource.route("POST /<id>/undo", "recovery:undo", MEMBER, out=RecoveryStartedOut, status=202)
def undo_recovery(caller: Caller, found: Recovery) -> object:
    """Remove everything a recovery made at the target, last first."""
    return _started(recoveries().undo(caller, found.id))


def _started(recovery: Recovery) -> object:
    return {"job_id": recovery.job_id, "recovery": shown_recoveries([recovery])[0]}


def shown_recoveries(found: Sequence[Recovery]) -> list[dict[str, Any]]:
    """As ``RecoveryOut``."""
    copies = failback().old_copies_of(found)
    return [answer(RecoveryOut, one, old_copy=copies.get(one.id)) for one in found]
