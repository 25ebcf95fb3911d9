"""Protection policies: when applications are protected, what is kept, and how old their newest data may become."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from multisite.domain.retention import Retention

LONGEST_INTERVAL = 366 * 86_400


class BackupKind(StrEnum):
    """What a scheduled run makes; ``AUTO``: as the options of the protection's method say."""

    FULL = "full"
    AUTO = "auto"
    INCREMENTAL = "incremental"

    @property
    def incremental(self) -> bool | None:
        """As ``ProtectionService.run`` takes it."""
        return None if self is BackupKind.AUTO else self is BackupKind.INCREMENTAL


@dataclass(frozen=True)
class PolicySchedule:
    """One of the two: ``cron`` (minute, hour, day of month, month, day of week, in UTC), or ``interval_seconds``
    since the protection was given the policy.
    """

    cron: Annotated[str, Field(max_length=100)] | None = None
    interval_seconds: Annotated[int, Field(ge=60, le=LONGEST_INTERVAL)] | None = None
    backup: BackupKind = BackupKind.AUTO

    def __str__(self) -> str:
        when = f"cron {self.cron} UTC" if self.cron else f"every {self.interval_seconds} s"
        return when if self.backup is BackupKind.AUTO else f"{when}, {self.backup}"


@dataclass(frozen=True)
class ProtectionPolicy:
    """What several protections of a project share.

    ``jitter_seconds``: each protection's runs begin up to so much later, always by the same.  ``rpo_seconds``: so old
    may its newest data become, None: no target.  ``paused``: nothing is run, drilled or deleted.
    ``history_days``: so long the series of the RPO is kept.  ``drill_cron``: when the newest restore point is drilled
    (as ``PolicySchedule.cron``), None: never by itself.
    """

    id: str
    name: str
    project_id: str
    schedules: tuple[PolicySchedule, ...] = ()
    jitter_seconds: int = 0
    retention: Retention = field(default_factory=Retention)
    rpo_seconds: int | None = None
    history_days: int = 30
    paused: bool = False
    description: str = ""
    drill_cron: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class ProtectionSchedule:
    """Where a protection is in its policy's schedules; ``id`` is the protection's.

    ``since``: intervals count from it.  ``tick_at``: the moment of the next run, ``due_at`` the same with jitter, or
    when it is tried again; both None without schedules.  ``skipped``: runs that were due while the one before was still
    at work; ``missed``: those that could not begin before the next was due.  ``retention_at``: when it is looked for
    what to delete.  ``note``: what an operator should know of the last run or try.  ``asked_by``: who gave the policy.
    ``drill_...`` and ``drills_...``: the same of drills; ``last_drill_result`` None: it has not ended.
    """

    id: str
    project_id: str
    policy_id: str
    since: datetime
    asked_by: dict[str, Any]
    tick_at: datetime | None = None
    due_at: datetime | None = None
    backup: BackupKind = BackupKind.AUTO
    retention_at: datetime | None = None
    attempts: int = 0
    runs: int = 0
    skipped: int = 0
    missed: int = 0
    last_run_at: datetime | None = None
    last_job_id: str | None = None
    note: str | None = None
    retention_note: str | None = None
    drill_tick_at: datetime | None = None
    drill_due_at: datetime | None = None
    drill_attempts: int = 0
    drills: int = 0
    drills_skipped: int = 0
    drills_missed: int = 0
    last_drill_at: datetime | None = None
    last_drill_id: str | None = None
    last_drill_result: str | None = None
    drill_note: str | None = None
    drill_target: str = ""
    """Where the last one was begun, or could not be; "" before the first."""
    created_at: datetime | None = None
