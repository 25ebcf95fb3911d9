"""What the jobs around a restore point are given: the order of one run, and what they work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from multisite.domain.model import Application, Protection, RestorePoint
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.protect.cloud import ProtectCloud
from multisite.recovery.protect.plan import ProtectPlan

BACKUP_SECONDS, BACKUP_SECONDS_PER_GIB = 1800.0, 600.0
"""How long one backup may take: so many seconds, and so many more for each GiB."""


class RestorePoints(Protocol):
    """``store.restore_points.RestorePointRepository``, as far as jobs need it."""

    def get(self, id: str, project_id: str | None = None) -> RestorePoint: ...
    def list(
        self, project_id: str | None = None, application_id: str | None = None
    ) -> list[RestorePoint]: ...
    def save(self, item: RestorePoint) -> RestorePoint: ...
    def delete(self, id: str) -> None: ...


class Protections(Protocol):
    """``store.protections.ProtectionRepository``, as far as jobs need it."""

    def get(self, id: str, project_id: str | None = None) -> Protection: ...
    def update(self, item: Protection) -> Protection: ...


@dataclass(frozen=True)
class ProtectDependencies:
    """What the job works with.  ``error_of`` gives a job's error, for the restore point it failed to make."""

    open: Callable[[str], ProtectCloud]
    manifests: ManifestStore
    restore_points: RestorePoints
    protections: Protections
    error_of: Callable[[str], str | None]
    backups_per_site: int = 2


@dataclass(frozen=True)
class ProtectOrder:
    """The parameters of one run, decided before it begins."""

    restore_point_id: str
    protection_id: str
    application: Application
    method: str
    freeze_timeout: int
    quiesce: bool
    snapshot_gap: float
    console_mark: str | None
    created_at: datetime
    plan: ProtectPlan

    @property
    def label(self) -> str:
        """Name of the snapshots and backups in the site."""
        return f"{self.application.name}-{self.restore_point_id}"


def backup_patience(size_gib: int) -> float:
    """Seconds one backup of that size may take, or its deletion."""
    return BACKUP_SECONDS + BACKUP_SECONDS_PER_GIB * size_gib
