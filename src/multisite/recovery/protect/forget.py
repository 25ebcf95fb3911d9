"""The job that deletes a restore point: first its manifest, so that nobody recovers from half of it, then
its data, by the steps of its method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from multisite.domain.manifest import Manifest
from multisite.jobs.model import JobKind, JobState, Json, Step, StepContext
from multisite.jobs.outcome import Outcome, Row
from multisite.jobs.values import decode
from multisite.recovery.methods.base import DeleteOrder, ProtectDependencies, ProtectionMethod

KIND = "delete-restore-point"
OUTCOME: Mapping[JobState, Row] = {
    JobState.DONE: Row.DELETED,
    JobState.UNDONE: Row.UNCHANGED,
    JobState.PAUSED: Row.UNCHANGED,
    JobState.UNDO_FAILED: Row.UNCHANGED,
}


def forget_params(manifest: Manifest, methods: Mapping[str, ProtectionMethod]) -> DeleteOrder:
    """Parameters of the job."""
    data = dict(methods[manifest.method].delete(manifest))
    return DeleteOrder(manifest.id, manifest.source.name, manifest.method, data)


def forget_kind(dependencies: ProtectDependencies, methods: Mapping[str, ProtectionMethod]) -> JobKind:
    """The kind of job, to be registered with the engine.  It pauses on failure: ask it to go on."""

    def build(params: Mapping[str, Json]) -> list[Step]:
        order = _order(params)

        def remove(_ctx: StepContext) -> None:
            dependencies.manifests.delete(order.restore_point)

        steps = methods[order.method].delete_steps(order, dependencies)
        manifest = Step("manifest", "Remove the manifest from the backup store", remove)
        return [manifest, *(replace(step, needs=("manifest", *step.needs)) for step in steps)]

    outcome = Outcome(dependencies.restore_points, "restore_point", OUTCOME, any_job=True)
    return JobKind(
        KIND, build, on_failure="pause", outcome=outcome, rule="restore_point:delete", uses_store=True
    )


def _order(params: Mapping[str, Json]) -> DeleteOrder:
    """Jobs from before manifests had payloads name no method: there was one, and its data is beside the rest."""
    if "method" not in params:
        params = {**params, "method": "consistent-backup", "data": {"backups": params["backups"]}}
    return decode(params, DeleteOrder, KIND)
