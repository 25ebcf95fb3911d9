"""A run that was decided: its order, its row, and what is in its way beside its method's reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from multisite.domain.errors import Conflict
from multisite.domain.model import Purpose, RestorePoint, RestorePointState
from multisite.recovery.methods.base import PlannedRun, ProtectOrder, RunRequest
from multisite.store.recoveries import FINAL, RecoveryRepository


def order_of(
    request: RunRequest,
    planned: PlannedRun,
    notes: Iterable[str] = (),
    stopped: Mapping[str, tuple[str, ...]] | None = None,
) -> ProtectOrder:
    """The parameters of its job; ``notes``, ``stopped`` as ``ProtectOrder`` says."""
    protection = request.protection
    return ProtectOrder(
        request.restore_point_id, protection.id, request.application, protection.method, request.created_at,
        dict(planned.plan), tuple(notes), None if stopped is None else dict(stopped),
    )  # fmt: skip


def begun(request: RunRequest, planned: PlannedRun, job_id: str) -> RestorePoint:
    """The restore point that its job will make."""
    return RestorePoint(
        id=request.restore_point_id,
        application_id=request.application.id,
        application=request.application.name,
        project_id=request.application.project_id,
        protection_id=request.protection.id,
        method=request.protection.method,
        state=RestorePointState.RUNNING,
        incremental=planned.incremental,
        parent_id=planned.parent_id,
        created_at=request.created_at,
        quiesced=planned.quiesced,
        size_gib=planned.size_gib,
        job_id=job_id,
    )


def refuse_while_moving(recoveries: RecoveryRepository, application_id: str, name: str) -> None:
    """Conflict while a planned move of the application has not come to its end; asked in a session."""
    for move in recoveries.list(application_id=application_id, purpose=Purpose.MOVE):
        if move.state not in FINAL:
            raise Conflict(
                f"application {name}: its move to {move.target_site} is {move.state}: "
                f"openstack multisite recovery resume {move.id}, or recovery undo {move.id}"
            )
