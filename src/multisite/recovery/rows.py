"""What the database caches of a manifest."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from multisite.domain.manifest import FrozenWindow, Manifest, ManifestError, digest_of, dump
from multisite.domain.model import RestorePoint, RestorePointState
from multisite.recovery.methods.cinder_backups.payload import carried


def as_restore_point(
    manifest: Manifest, protection_id: str | None = None, job_id: str | None = None
) -> RestorePoint:
    """An available one; the database alone knows of which protection and job."""
    changed = _carried(manifest)
    return RestorePoint(
        id=manifest.id,
        application_id=manifest.application_id,
        application=manifest.application,
        project_id=manifest.project_id,
        protection_id=protection_id,
        method=manifest.method,
        state=RestorePointState.AVAILABLE,
        incremental=manifest.incremental,
        parent_id=manifest.parent_id,
        created_at=manifest.created_at,
        consistent_at=manifest.consistent_at,
        frozen_seconds=manifest.frozen_seconds,
        frozen=tuple({**asdict(w), **_times(w)} for w in manifest.frozen),
        marks=tuple(asdict(mark) for mark in manifest.marks),
        quiesced=manifest.quiesced,
        size_gib=sum(volume.size_gib for volume in manifest.volumes),
        digest=digest_of(dump(manifest)),
        job_id=job_id,
        epoch=manifest.epoch,
        carried_bytes=changed[0] if changed else None,
        carried_seconds=changed[1] if changed else None,
    )


def _carried(manifest: Manifest) -> tuple[int, float] | None:
    try:
        return carried(manifest)
    except ManifestError:  # who recovers from it is told
        return None


def _times(window: FrozenWindow) -> dict[str, str]:
    return {"frozen_at": window.frozen_at.isoformat(), "thawed_at": window.thawed_at.isoformat()}


def unowned(id: str, problem: str) -> RestorePoint:
    """A damaged one that nobody can tell the application of."""
    now = datetime.now(UTC)
    return RestorePoint(
        id=id, application_id="", application="", project_id="", protection_id=None, method="",
        state=RestorePointState.FAILED, incremental=False, parent_id=None, created_at=now, error=problem,
    )  # fmt: skip
