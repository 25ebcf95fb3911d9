"""Protections: the operator's decision how an application is protected."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from multisite.api.schemas.common import Expression, In, Name, Out, Ref


class ProtectionIn(In):
    application: Ref
    method: Literal["consistent-backup"] = "consistent-backup"
    target_site: Name | None = None
    freeze_timeout: Annotated[
        int, Field(ge=5, le=600, description="Seconds after which a site thaws a server by itself")
    ] = 60
    quiesce: Annotated[bool, Field(description="False: no server is frozen (crash-consistent only)")] = True
    full_every: Annotated[
        int, Field(ge=1, le=365, description="Every how many runs a full backup is made")
    ] = 7
    console_mark: Expression | None = None
    snapshot_gap_seconds: Annotated[float, Field(ge=0, le=5)] = 0.0


class ProtectionOut(Out):
    id: str
    application_id: str
    application: str
    project_id: str
    method: str
    site: str
    target_site: str | None
    freeze_timeout: int
    quiesce: bool
    full_every: int
    console_mark: str | None
    snapshot_gap_seconds: float
    created_at: datetime | None
    last_restore_point: str | None


class ProtectionsOut(Out):
    protections: list[ProtectionOut]


class RunIn(In):
    """``incremental``: true, false (full), or null: as the protection's ``full_every`` says."""

    incremental: bool | None = None
