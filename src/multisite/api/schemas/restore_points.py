"""Restore points: what an application can be recovered from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from multisite.api.schemas.common import Out, Query, Ref
from multisite.domain.model import RestorePointState


class RestorePointFilter(Query):
    application: Ref | None = None


class RestorePointOut(Out):
    """``consistent_at`` is the moment its data shows; ``digest`` the sha256 of its manifest."""

    id: str
    application_id: str
    application: str
    project_id: str
    protection_id: str | None
    method: str
    state: RestorePointState
    incremental: bool
    parent_id: str | None
    created_at: datetime
    consistent_at: datetime | None
    frozen_seconds: float | None
    frozen: list[dict[str, Any]]
    marks: list[dict[str, str]]
    quiesced: bool
    size_gib: int | None
    digest: str | None
    job_id: str | None
    error: str | None


class RestorePointsOut(Out):
    restore_points: list[RestorePointOut]
