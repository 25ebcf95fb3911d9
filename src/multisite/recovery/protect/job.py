"""The job that makes one restore point: check, capture, back up, write the manifest, clean up.

``on_failure`` is "undo": a run that fails leaves neither frozen servers nor snapshots nor backups.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from multisite.clouds.errors import Failed, Refused, SiteError
from multisite.clouds.volumes import Backup, parent_in
from multisite.domain.errors import NotFound
from multisite.domain.manifest import BackupRecord, FrozenWindow, Manifest, Mark
from multisite.domain.model import RestorePointState
from multisite.jobs.model import JobKind, JobState, Json, Step, StepContext, StepFailed
from multisite.recovery.manifests import as_restore_point
from multisite.recovery.protect.capture import (
    LOOK_AGAIN_SECONDS,
    CaptureSettings,
    capture,
    undo_capture,
)
from multisite.recovery.protect.clean import clean_up
from multisite.recovery.protect.cloud import ProtectCloud
from multisite.recovery.protect.order import ProtectDependencies, ProtectOrder, backup_patience
from multisite.recovery.protect.plan import PlannedVolume, differences

KIND = "protect"
# Cinder's words when only the incremental backup is impossible (backup/api.py, backup/chunkeddriver.py).
_ASKS_FOR_FULL = re.compile(r"full backup|incremental|parent", re.IGNORECASE)


_ORDER: TypeAdapter[ProtectOrder] = TypeAdapter(ProtectOrder)
_BACKUP: TypeAdapter[BackupRecord] = TypeAdapter(BackupRecord)


def to_params(order: ProtectOrder) -> dict[str, Json]:
    """An order as the job's parameters."""
    params: dict[str, Json] = _ORDER.dump_python(order, mode="json")
    return params


def protect_kind(ports: ProtectDependencies) -> JobKind:
    """The kind of job, to be registered with the engine."""
    return JobKind(
        name=KIND,
        build=lambda params: _steps(ports, _ORDER.validate_python(dict(params))),
        on_failure="undo",
        finished=partial(_finished, ports),
    )


def _steps(ports: ProtectDependencies, order: ProtectOrder) -> list[Step]:
    plan, site = order.plan, order.application.site
    frozen = f"freeze {len(plan.freeze)} servers, " if plan.freeze else ""
    steps = [
        Step(
            "check",
            f"Check application {order.application.name}",
            partial(_check, ports, order),
            partial(_undo_check, ports, order),
            site=site,
        ),
        Step(
            "capture",
            f"Take the consistency point: {frozen}snapshot {len(plan.volumes)} volumes",
            partial(_capture, ports, order),
            partial(_undo_capture, ports, order),
            needs=("check",),
            site=site,
        ),
    ]
    backups = tuple(volume.step for volume in plan.volumes)
    manifest = Step(
        "manifest",
        "Write the manifest to the backup store",
        partial(_manifest, ports, order),
        partial(_undo_manifest, ports, order),
        needs=("capture", *backups),
    )
    cleanup = Step(
        "cleanup", "Delete the snapshots", partial(clean_up, ports, order), needs=("manifest",), site=site
    )
    return [*steps, *_backup_steps(ports, order), manifest, cleanup]


def _backup_steps(ports: ProtectDependencies, order: ProtectOrder) -> list[Step]:
    site = order.application.site
    return [
        Step(
            volume.step,
            f"Back up {volume.server} {volume.device} ({volume.size_gib} GiB, {volume.reason})",
            partial(_backup, ports, order, volume),
            partial(_undo_backup, ports, order, volume),
            needs=("capture",),
            # A limit of its own for each of the backups a site may make at a time: sites are not known
            # when the engine is told its limits, and an unknown one means "one at a time".
            limit=f"backup:{site}:{number % ports.backups_per_site}",
            site=site,
        )
        for number, volume in enumerate(order.plan.volumes)
    ]


def _check(ports: ProtectDependencies, order: ProtectOrder, ctx: StepContext) -> Json:
    """Look again, refuse what has changed, and keep the facts as a draft of the manifest."""
    cloud = ports.open(order.application.site)
    ports.manifests.check()
    sight = cloud.look(order.application, quiesce=bool(order.plan.freeze))
    if changed := differences(order.plan, sight.servers, sight.volumes, quiesce=order.quiesce):
        raise StepFailed("; ".join(changed))
    facts, application = sight.facts, order.application
    draft = Manifest(
        id=order.restore_point_id,
        application_id=application.id,
        application=application.name,
        project_id=application.project_id,
        source=cloud.source(),
        method=order.method,
        created_at=order.created_at,
        consistent_at=order.created_at,
        servers=facts.servers,
        volumes=facts.volumes,
        ports=facts.ports,
        networks=facts.networks,
        subnets=facts.subnets,
        security_groups=facts.security_groups,
        keypairs=facts.keypairs,
        server_groups=facts.server_groups,
        quiesced=order.plan.quiesced,
        notes=(*order.plan.notes, *facts.notes),
    )
    ports.manifests.save_draft(draft)
    for note in draft.notes:
        ctx.event(note)
    return {"servers": len(facts.servers), "volumes": len(facts.volumes)}


def _undo_check(
    ports: ProtectDependencies,
    order: ProtectOrder,
    ctx: StepContext,  # noqa: ARG001
    result: Json | None,  # noqa: ARG001
) -> None:
    ports.manifests.delete(order.restore_point_id)


def _capture(ports: ProtectDependencies, order: ProtectOrder, ctx: StepContext) -> Json:
    cloud = ports.open(order.application.site)
    settings = CaptureSettings(order.label, order.freeze_timeout, order.snapshot_gap or None)
    result = capture(cloud, order.plan, settings, ctx)
    return {**result, "marks": _marks(cloud, order, ctx)}


def _marks(cloud: ProtectCloud, order: ProtectOrder, ctx: StepContext) -> list[dict[str, str]]:
    """The newest matching console line of each server that was frozen; read when all are thawed again."""
    marks: list[dict[str, str]] = []
    if not order.console_mark:
        return marks
    wanted = re.compile(order.console_mark)
    for server in order.plan.freeze:
        try:
            lines = cloud.console(server.id).splitlines()
        except SiteError as error:
            ctx.event(f"the console of server {server.name} cannot be read: it has no mark ({error})")
            continue
        line = next((text.strip() for text in reversed(lines) if wanted.search(text)), None)
        if line is None:
            ctx.event(f"no line of the console of server {server.name} matches: it has no mark")
        else:
            marks.append({"server_id": server.id, "server_name": server.name, "text": line})
    return marks


def _undo_capture(
    ports: ProtectDependencies, order: ProtectOrder, ctx: StepContext, result: Json | None
) -> None:
    known = None if result is None else result["snapshots"].values()
    undo_capture(ports.open(order.application.site), order.plan, ctx, known)


def _backup(ports: ProtectDependencies, order: ProtectOrder, volume: PlannedVolume, ctx: StepContext) -> Json:
    """Back up the volume as its snapshot shows it; export the record at once, later the site may be gone."""
    cloud = ports.open(order.application.site)
    snapshot = ctx.result_of("capture")["snapshots"][volume.id]
    for broken in [b for b in cloud.backups_by_token(ctx.token) if b.status.startswith("error")]:
        cloud.delete_backup(broken.id, backup_patience(volume.size_gib))  # of an earlier attempt
    if volume.incremental:
        try:
            made, record = _make(cloud, order, volume, snapshot, ctx, incremental=True)
            parent = parent_in(record)
            if parent in (volume.parent, None):  # None: an earlier attempt had to make a full one
                return _result(made, record, incremental=parent is not None)
            why = f"Cinder built on backup {parent}, which is not of this chain"
        except (Failed, Refused) as error:
            if not _ASKS_FOR_FULL.search(error.message):
                raise
            why = error.message
        ctx.event(
            f"{volume.device} of server {volume.server}: no incremental backup: {why}; making a full one"
        )
        _remove_backups(cloud, volume, ctx)
    made, record = _make(cloud, order, volume, snapshot, ctx, incremental=False)
    return _result(made, record, incremental=False)


def _make(
    cloud: ProtectCloud,
    order: ProtectOrder,
    volume: PlannedVolume,
    snapshot: str,
    ctx: StepContext,
    *,
    incremental: bool,
) -> tuple[Backup, dict[str, str]]:
    size = float(volume.size_gib)
    started = cloud.create_backup(
        ctx.token, volume_id=volume.id, snapshot_id=snapshot, name=order.label, incremental=incremental
    )

    def report(seen: Backup) -> None:
        # Cinder tells no bytes: a volume counts when it is done.
        ctx.progress(size if seen.status == "available" else 0.0, size, "GiB", f"backup {seen.status}")

    made = cloud.wait_backup(
        started.id, backup_patience(volume.size_gib), on_poll=report, cancelled=ctx.cancelled
    )
    return made, cloud.export_record(made.id)


def _result(made: Backup, record: dict[str, str], *, incremental: bool) -> Json:
    kept = BackupRecord(made.id, incremental, made.created_at, made.size_gib, record)
    return _BACKUP.dump_python(kept, mode="json")


def _remove_backups(cloud: ProtectCloud, volume: PlannedVolume, ctx: StepContext) -> None:
    for made in cloud.backups_by_token(ctx.token):
        cloud.delete_backup(made.id, backup_patience(volume.size_gib))


def _undo_backup(
    ports: ProtectDependencies,
    order: ProtectOrder,
    volume: PlannedVolume,
    ctx: StepContext,
    result: Json | None,
) -> None:  # the token finds it, whether the end of the step is known or not
    cloud = ports.open(order.application.site)
    _remove_backups(cloud, volume, ctx)
    if result is None:
        time.sleep(LOOK_AGAIN_SECONDS)
        _remove_backups(cloud, volume, ctx)


def _manifest(ports: ProtectDependencies, order: ProtectOrder, ctx: StepContext) -> Json:
    """Put everything together and make the restore point available."""
    captured: Mapping[str, Any] = ctx.result_of("capture")
    made = {v.id: _BACKUP.validate_python(ctx.result_of(v.step)) for v in order.plan.volumes}
    incremental = any(record.incremental for record in made.values())
    parent = ports.manifests.read(order.plan.parent_id) if incremental and order.plan.parent_id else None
    try:
        draft = ports.manifests.draft(order.restore_point_id)
    except NotFound:  # this step wrote the manifest already, and its end was not noted
        manifest = ports.manifests.read(order.restore_point_id)
    else:
        manifest = _assemble(draft, captured, made, parent)
    digest = ports.manifests.write(manifest)
    known = ports.restore_points.get(order.restore_point_id)
    kept = as_restore_point(manifest, protection_id=known.protection_id, job_id=ctx.job_id)
    ports.restore_points.save(kept)
    return {"digest": digest, "incremental": incremental, "size_gib": kept.size_gib}


def _assemble(
    draft: Manifest,
    captured: Mapping[str, Any],
    made: Mapping[str, BackupRecord],
    parent: Manifest | None,
) -> Manifest:
    def chain(volume_id: str) -> tuple[BackupRecord, ...]:
        new = made[volume_id]
        return (*parent.volume(volume_id).backups, new) if new.incremental and parent else (new,)

    volumes = tuple(
        replace(v, snapshot_id=captured["snapshots"][v.id], backups=chain(v.id)) for v in draft.volumes
    )
    windows = TypeAdapter(tuple[FrozenWindow, ...]).validate_python(captured["windows"])
    marks = tuple(Mark(**mark) for mark in captured["marks"])
    return replace(
        draft,
        volumes=volumes,
        consistent_at=datetime.fromisoformat(captured["consistent_at"]),
        frozen=windows,
        frozen_seconds=captured["frozen_seconds"],
        marks=marks,
        incremental=parent is not None,
        parent_id=parent.id if parent is not None else None,
    )


def _undo_manifest(
    ports: ProtectDependencies,
    order: ProtectOrder,
    ctx: StepContext,  # noqa: ARG001
    result: Json | None,  # noqa: ARG001
) -> None:
    children = [m.id for m in ports.manifests.list().manifests if m.parent_id == order.restore_point_id]
    if children:
        raise StepFailed(f"restore points {', '.join(children)} build on it: delete those first")
    ports.manifests.delete(order.restore_point_id)


def _finished(ports: ProtectDependencies, job_id: str, state: JobState, params: Mapping[str, Json]) -> None:
    """Tell the restore point what became of it (``RestorePointState``)."""
    order = _ORDER.validate_python(dict(params))
    try:
        known = ports.restore_points.get(order.restore_point_id)
    except NotFound:
        return  # deleted meanwhile: nothing to tell
    if state == JobState.DONE or order.restore_point_id in ports.manifests.ids():
        # Also when an undo was refused because others build on it: it can still be recovered from.
        known = replace(known, state=RestorePointState.AVAILABLE, error=None)
    else:
        left = "" if state == JobState.UNDONE else "; not everything it made could be removed, see the job"
        error = f"{ports.error_of(job_id) or 'undone by the operator'}{left}"
        known = replace(known, state=RestorePointState.FAILED, error=error)
    ports.restore_points.save(known)
    _note_last(ports, order)


def _note_last(ports: ProtectDependencies, order: ProtectOrder) -> None:
    usable = [
        r
        for r in ports.restore_points.list(application_id=order.application.id)
        if r.protection_id == order.protection_id and r.state == RestorePointState.AVAILABLE
    ]
    last = max(usable, key=lambda r: r.created_at, default=None)
    try:
        protection = ports.protections.get(order.protection_id)
        ports.protections.update(replace(protection, last_restore_point=last.id if last else None))
    except NotFound:
        return  # deleted meanwhile; its restore points stay
