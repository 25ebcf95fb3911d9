"""What a protection method is: what it needs, and how it turns a wish into a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest
from multisite.domain.model import Application, Capability, Protection
from multisite.jobs.model import Json
from multisite.recovery.protect.cloud import ProtectCloud


@dataclass(frozen=True)
class RunRequest:
    """One run somebody asked for.  ``previous``: the newest restore point of the application.

    ``incremental``: True, False, or None for "as the chain allows".
    """

    application: Application
    protection: Protection
    previous: Manifest | None
    incremental: bool | None
    restore_point_id: str
    created_at: datetime


@dataclass(frozen=True)
class PlannedRun:
    """The job to start.  ``parent_id``: the restore point it builds on when it is ``incremental``."""

    kind: str
    title: str
    params: Mapping[str, Json]
    incremental: bool
    parent_id: str | None
    quiesced: bool
    size_gib: int


class ProtectionMethod(Protocol):
    """One way to protect an application."""

    name: str

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks for this method; what is not known is no problem that blocks."""

    def plan(self, cloud: ProtectCloud, request: RunRequest) -> PlannedRun:
        """Look at the application and decide; nothing is changed.

        Raises Conflict naming everything that forbids the run, SiteError when the site cannot be asked.
        """
