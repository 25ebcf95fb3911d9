"""The job that makes one restore point, by the steps of its method, and what becomes of the restore point.

``on_failure`` is "undo": a run that fails leaves neither frozen servers nor snapshots nor backups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from multisite.domain.errors import NotFound
from multisite.domain.model import RestorePointState
from multisite.jobs.model import JobKind, JobState, Json, Step
from multisite.recovery.methods.base import ProtectDependencies, ProtectionMethod, ProtectOrder

KIND = "protect"


def protect_kind(dependencies: ProtectDependencies, methods: Mapping[str, ProtectionMethod]) -> JobKind:
    """The kind of job, to be registered with the engine; its parameters are a ``ProtectOrder``."""

    def build(params: Mapping[str, Json]) -> list[Step]:
        order = ProtectOrder.from_params(params)
        return methods[order.method].steps(order, dependencies)

    def finished(job_id: str, state: JobState, params: Mapping[str, Json]) -> None:
        _finished(dependencies, job_id, state, ProtectOrder.from_params(params))

    return JobKind(KIND, build, on_failure="undo", finished=finished)


def _finished(dependencies: ProtectDependencies, job_id: str, state: JobState, order: ProtectOrder) -> None:
    """Tell the restore point what became of it (``RestorePointState``)."""
    points = dependencies.restore_points
    try:
        known = points.get(order.restore_point_id)
    except NotFound:
        return  # deleted meanwhile: nothing to tell
    if state == JobState.DONE or order.restore_point_id in dependencies.manifests.ids():
        # Also when an undo was refused because others build on it: it can still be recovered from.
        known = replace(known, state=RestorePointState.AVAILABLE, error=None)
    else:
        left = "" if state == JobState.UNDONE else "; not everything it made could be removed, see the job"
        error = f"{dependencies.error_of(job_id) or 'undone by the operator'}{left}"
        known = replace(known, state=RestorePointState.FAILED, error=error)
    points.save(known)
    _note_last(dependencies, order)


def _note_last(dependencies: ProtectDependencies, order: ProtectOrder) -> None:
    usable = dependencies.restore_points.list(
        protection_id=order.protection_id, state=RestorePointState.AVAILABLE
    )
    last = max(usable, key=lambda r: r.created_at, default=None)
    try:
        protection = dependencies.protections.get(order.protection_id)
        dependencies.protections.update(replace(protection, last_restore_point=last.id if last else None))
    except NotFound:
        return  # deleted meanwhile; its restore points stay
