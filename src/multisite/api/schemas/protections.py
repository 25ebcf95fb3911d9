"""Protections: the operator's decision how an application is protected."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from multisite.api.schemas.common import Expression, In, Name, Ref
from multisite.api.schemas.derived import group, shown
from multisite.domain.model import Protection
from multisite.recovery.service import DEFAULT_FREEZE_SECONDS, FREEZE_SECONDS, MAX_GAP_SECONDS, METHODS


def _known_method(name: str) -> str:
    if name not in METHODS:
        raise ValueError(f"{name!r} is not a protection method; there are: {', '.join(sorted(METHODS))}")
    return name


class ProtectionIn(In):
    application: Ref
    method: Annotated[str, AfterValidator(_known_method)] = "consistent-backup"
    target_site: Name | None = None
    freeze_timeout: Annotated[
        int,
        Field(
            ge=FREEZE_SECONDS[0],
            le=FREEZE_SECONDS[1],
            description="Seconds after which a site thaws a server by itself",
        ),
    ] = DEFAULT_FREEZE_SECONDS
    quiesce: Annotated[bool, Field(description="False: no server is frozen (crash-consistent only)")] = True
    full_every: Annotated[
        int, Field(ge=1, le=365, description="Every how many runs a full backup is made")
    ] = 7
    console_mark: Expression | None = None
    snapshot_gap_seconds: Annotated[float, Field(ge=0, le=MAX_GAP_SECONDS)] = 0.0


ProtectionOut = shown(Protection)
ProtectionsOut = group("ProtectionsOut", protections=list[Protection])


class RunIn(In):
    """``incremental``: true, false (full), or null: as the protection's ``full_every`` says."""

    incremental: bool | None = None
