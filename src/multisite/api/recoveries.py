"""``/v1/recoveries``: looking before, starting, resuming and undoing."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.recoveries import (
    PreviewIn,
    PreviewOut,
    RecoveriesOut,
    RecoveryOut,
    RecoveryStartedOut,
    StartIn,
)
from multisite.api.state import policy, services
from multisite.domain.model import Recovery

bp = APIBlueprint("recoveries", __name__, url_prefix="/v1/recoveries", tag="Recoveries")


@bp.get("")
@bp.output(RecoveriesOut)
def list_recoveries() -> Any:
    """List the recoveries of the project."""
    caller = policy().check("recovery:list")
    return {"recoveries": services().recoveries.list(caller)}


@bp.post("/preview")
@bp.input(PreviewIn, arg_name="body")
@bp.output(PreviewOut)
def preview_recovery(body: PreviewIn) -> Any:
    """What a recovery would do, what data would be lost and what stands in the way; changes nothing."""
    caller = policy().check("recovery:preview")
    return services().recoveries.preview(caller, body.restore_point, body.target_site, body.rules())


@bp.post("")
@bp.input(StartIn, arg_name="body")
@bp.output(RecoveryStartedOut, status_code=202)
def start_recovery(body: StartIn) -> Any:
    """Recover an application; ``confirm`` is its name, typed by the person who decides."""
    caller = policy().check("recovery:start")
    return _started(
        services().recoveries.start(
            caller,
            body.restore_point,
            body.target_site,
            body.rules(),
            confirm=body.confirm,
            preview=body.preview,
        )
    )


@bp.get("/<id>")
@bp.output(RecoveryOut)
def show_recovery(id: str) -> Any:
    """Show a recovery."""
    return _owned("recovery:show", id)


@bp.post("/<id>/resume")
@bp.output(RecoveryStartedOut, status_code=202)
def resume_recovery(id: str) -> Any:
    """Go on with a paused recovery; what it made already is kept."""
    found = _owned("recovery:resume", id)
    return _started(services().recoveries.resume(policy().check("recovery:resume", found.project_id), id))


@bp.post("/<id>/undo")
@bp.output(RecoveryStartedOut, status_code=202)
def undo_recovery(id: str) -> Any:
    """Remove everything a recovery made at the target, last first."""
    found = _owned("recovery:undo", id)
    return _started(services().recoveries.undo(policy().check("recovery:undo", found.project_id), id))


def _started(recovery: Recovery) -> dict[str, Any]:
    return {"job_id": recovery.job_id, "recovery": recovery}


def _owned(rule: str, id: str) -> Recovery:
    found = services().recoveries.get(policy().check("recovery:list"), id)
    policy().check_owned(rule, found.project_id, f"recovery: there is no recovery {id!r}")
    return found
