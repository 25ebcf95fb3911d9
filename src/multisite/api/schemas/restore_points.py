"""Restore points: what an application can be recovered from."""

from __future__ import annotations

from multisite.api.schemas.common import Query, Ref
from multisite.api.schemas.derived import group, shown
from multisite.domain.model import RestorePoint


class RestorePointFilter(Query):
    application: Ref | None = None


RestorePointOut = shown(
    RestorePoint,
    doc="``consistent_at`` is the moment its data shows; ``digest`` the sha256 of its manifest.",
)
RestorePointsOut = group("RestorePointsOut", restore_points=list[RestorePoint])
