"""The job that deletes a restore point: first its manifest, so that nobody recovers from half of it, then
its backups.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from multisite.domain.errors import NotFound
from multisite.domain.manifest import Manifest
from multisite.jobs.model import JobKind, JobState, Json, Step, StepContext
from multisite.recovery.protect.order import ProtectDependencies, backup_patience

KIND = "delete-restore-point"


def forget_params(manifest: Manifest) -> dict[str, Json]:
    """Parameters of the job.  Only its own backup of each volume: the older ones are its parents'."""
    own = [{"id": v.backups[-1].id, "size_gib": v.size_gib} for v in manifest.volumes if v.backups]
    return {"restore_point": manifest.id, "site": manifest.source.name, "backups": own}


def forget_kind(ports: ProtectDependencies) -> JobKind:
    """The kind of job, to be registered with the engine.  It pauses on failure: ask it to go on."""
    return JobKind(
        name=KIND,
        build=partial(_steps, ports),
        on_failure="pause",
        finished=partial(_finished, ports),
    )


def _steps(ports: ProtectDependencies, params: Mapping[str, Json]) -> list[Step]:
    site, count = str(params["site"]), len(params["backups"])
    return [
        Step("manifest", "Remove the manifest from the backup store", partial(_manifest, ports, params)),
        Step(
            "backups",
            f"Delete {count} backups",
            partial(_backups, ports, params),
            needs=("manifest",),
            limit=f"delete:{site}",
            site=site,
        ),
    ]


def _manifest(ports: ProtectDependencies, params: Mapping[str, Json], ctx: StepContext) -> Json:  # noqa: ARG001
    ports.manifests.delete(str(params["restore_point"]))
    return None


def _backups(ports: ProtectDependencies, params: Mapping[str, Json], ctx: StepContext) -> Json:
    cloud = ports.open(str(params["site"]))
    backups: list[dict[str, Any]] = params["backups"]
    for done, backup in enumerate(backups):
        ctx.progress(done, len(backups), "backups")
        cloud.delete_backup(backup["id"], timeout=backup_patience(backup["size_gib"]))
    ctx.progress(len(backups), len(backups), "backups")
    return None


def _finished(ports: ProtectDependencies, job_id: str, state: JobState, params: Mapping[str, Json]) -> None:  # noqa: ARG001
    if state == JobState.DONE:
        try:
            ports.restore_points.delete(str(params["restore_point"]))
        except NotFound:
            return
