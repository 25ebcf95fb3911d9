"""The job that makes one restore point, by the steps of its method, and what becomes of the restore point.

``on_failure`` is "undo": a run that fails leaves neither frozen servers nor snapshots nor backups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from multisite.clouds.resources import Kind
from multisite.clouds.resources.left import left_by_job
from multisite.domain.errors import NotFound
from multisite.domain.model import RestorePointState
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step
from multisite.jobs.outcome import failure
from multisite.recovery.methods.base import ProtectDependencies, ProtectionMethod, ProtectOrder

KIND = "protect"
MADE: tuple[Kind, ...] = ("snapshot", "group_snapshot", "backup", "volume", "image")
"""What the methods make in the application's site."""


def protect_kind(dependencies: ProtectDependencies, methods: Mapping[str, ProtectionMethod]) -> JobKind:
    """The kind of job, to be registered with the engine; its parameters are a ``ProtectOrder``."""

    def build(params: Mapping[str, Json]) -> list[Step]:
        order = ProtectOrder.from_params(params)
        return methods[order.method].steps(order, dependencies)

    left = left_by_job(dependencies.sites, MADE, harmless=("check",))
    return JobKind(
        KIND,
        build,
        on_failure="undo",
        finished=partial(_finished, dependencies),
        left=left,
        rule="protection:run",
        uses_store=True,
    )


def _finished(dependencies: ProtectDependencies, job: Ended) -> None:
    note_outcome(dependencies, ProtectOrder.from_params(job.params), job)


def note_outcome(dependencies: ProtectDependencies, order: ProtectOrder, job: Ended) -> None:
    """Tell the restore point what became of it.  No table: the backup store is asked, which may take long."""
    points = dependencies.restore_points
    try:
        known = points.get(order.restore_point_id)
    except NotFound:
        return  # deleted meanwhile: nothing to tell
    if job.state is JobState.DONE or order.restore_point_id in dependencies.manifests.ids():
        # Also when an undo was refused because others build on it: it can still be recovered from.
        known = replace(known, state=RestorePointState.AVAILABLE, error=None)
    else:
        known = replace(known, state=RestorePointState.FAILED, error=failure(job))
    points.save(known)
    _note_last(dependencies, order)


def _note_last(dependencies: ProtectDependencies, order: ProtectOrder) -> None:
    usable = dependencies.restore_points.list(
        protection_id=order.protection_id, state=RestorePointState.AVAILABLE
    )
    whole = (point for point in usable if point.epoch >= 0)  # not of a member alone, for a move
    last = max(whole, key=lambda r: r.created_at, default=None)
    try:
        protection = dependencies.protections.get(order.protection_id)
        dependencies.protections.update(replace(protection, last_restore_point=last.id if last else None))
    except NotFound:
        return  # deleted meanwhile; its restore points stay
