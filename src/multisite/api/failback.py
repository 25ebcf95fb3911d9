"""``/v1/recoveries/{id}/...``: what is done once an application is recovered and its old site comes back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policies import check_rights
from multisite.api.policy import MEMBER
from multisite.api.recoveries import OWNED, RecoveryOut, RecoveryStartedOut, failback, shown_recoveries
from multisite.api.routing import Resource
from multisite.api.schemas.common import In, Name
from multisite.api.schemas.derived import group, shown
from multisite.domain.caller import Caller
from multisite.domain.model import Recovery
from multisite.recovery.service import CommitPreview


class StopSourceIn(In):
    confirm: Annotated[Name, Field(description="The application's name, as a sign that this is meant")]


class ReprotectIn(In):
    """``target_site``: to where it is protected from now on; null: back to the old site."""

    target_site: Name | None = None
    source_is_fenced: Annotated[
        bool,
        Field(
            description="The operator vouches that the old copy is off or cut off, where its site does not tell"
        ),
    ] = False


class CommitIn(In):
    """``confirm``: the application's name, as a sign that its old copy is to be removed."""

    remove_source: bool = False
    confirm: Name | None = None


CommitPreviewOut = shown(
    CommitPreview,
    more={"removable": bool},
    doc="What a commit with ``remove_source`` would delete, and keep; ``removable`` is false while a problem blocks.",
)
CommittedOut = group(
    "CommittedOut", "``job_id`` null: nothing is removed.", job_id=str | None, recovery=Recovery
)
resource = Resource("failback", "/v1/recoveries", tag="Recoveries", owned=OWNED)


@resource.route(
    "POST /<id>/stop-source", "recovery:stop_source", MEMBER, body=StopSourceIn, out=RecoveryStartedOut,
    status=202,
)  # fmt: skip
def stop_source(caller: Caller, found: Recovery, body: StopSourceIn) -> object:
    """Shut off the servers of the copies that a recovery took the place of; watch the job."""
    return _started(*failback().stop_source(caller, found.id, body.confirm))


@resource.route("POST /<id>/reprotect", "recovery:reprotect", MEMBER, body=ReprotectIn, out=RecoveryOut)
def reprotect(caller: Caller, found: Recovery, body: ReprotectIn) -> object:
    """Describe the application where it was recovered, and protect it from there.

    Policies of its protections are carried out there from now on, so it takes the rights to give one.
    """
    check_rights({}, found.project_id)
    changed = failback().reprotect(caller, found.id, body.target_site, source_is_fenced=body.source_is_fenced)
    return shown_recoveries([changed])[0]


@resource.route("POST /<id>/undo-reprotect", "recovery:undo_reprotect", MEMBER, out=RecoveryOut)
def undo_reprotect(caller: Caller, found: Recovery) -> object:
    """Describe the application and its protections as before; what was recovered stays."""
    check_rights({}, found.project_id)
    return shown_recoveries([failback().undo_reprotect(caller, found.id)])[0]


@resource.route(
    "POST /<id>/commit/preview", "recovery:preview_commit", MEMBER, out=CommitPreviewOut, recorded=False
)
def preview_commit(caller: Caller, found: Recovery) -> object:
    """What a commit that removes the old copy would delete; changes nothing."""
    return failback().preview_commit(caller, found.id)


@resource.route("POST /<id>/commit", "recovery:commit", MEMBER, body=CommitIn, out=CommittedOut, status=202)
def commit(caller: Caller, found: Recovery, body: CommitIn) -> object:
    """End that a recovery can be undone; ``remove_source`` removes what is left of the old copy."""
    return _started(
        *failback().commit(caller, found.id, remove_source=body.remove_source, confirm=body.confirm)
    )


def _started(job_id: str | None, recovery: Recovery) -> object:
    return {"job_id": job_id, "recovery": shown_recoveries([recovery])[0]}
