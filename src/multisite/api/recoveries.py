"""``/v1/recoveries``: looking before, starting, resuming and undoing."""

from __future__ import annotations

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.recoveries import (
    PreviewIn,
    PreviewOut,
    RecoveriesOut,
    RecoveryOut,
    RecoveryStartedOut,
    StartIn,
)
from multisite.api.state import services
from multisite.domain.caller import Caller
from multisite.domain.model import Recovery

OWNED = Owned("recovery", lambda caller, id: services().recoveries.get(caller, id))
resource = Resource("recoveries", "/v1/recoveries", tag="Recoveries", owned=OWNED)


@resource.route("GET", "recovery:list", READER, out=RecoveriesOut)
def list_recoveries(caller: Caller) -> object:
    """List the recoveries of the project."""
    return {"recoveries": services().recoveries.list(caller)}


@resource.route("POST /preview", "recovery:preview", MEMBER, body=PreviewIn, out=PreviewOut, recorded=False)
def preview_recovery(caller: Caller, body: PreviewIn) -> object:
    """What a recovery would do, what data would be lost and what stands in the way; changes nothing."""
    return services().recoveries.preview(caller, body.restore_point, body.target_site, body.rules())


@resource.route("POST", "recovery:start", MEMBER, body=StartIn, out=RecoveryStartedOut, status=202)
def start_recovery(caller: Caller, body: StartIn) -> object:
    """Recover an application; ``confirm`` is its name, typed by the person who decides."""
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


@resource.route("GET /<id>", "recovery:show", READER, out=RecoveryOut)
def show_recovery(_caller: Caller, found: Recovery) -> object:
    """Show a recovery."""
    return found


@resource.route("POST /<id>/resume", "recovery:resume", MEMBER, out=RecoveryStartedOut, status=202)
def resume_recovery(caller: Caller, found: Recovery) -> object:
    """Go on with a paused recovery; what it made already is kept."""
    return _started(services().recoveries.resume(caller, found.id))


@resource.route("POST /<id>/undo", "recovery:undo", MEMBER, out=RecoveryStartedOut, status=202)
def undo_recovery(caller: Caller, found: Recovery) -> object:
    """Remove everything a recovery made at the target, last first."""
    return _started(services().recoveries.undo(caller, found.id))


def _started(recovery: Recovery) -> object:
    return {"job_id": recovery.job_id, "recovery": recovery}
