"""The tables: importing this package makes all of them known."""

from multisite.store.models.addresses import AddressEpochRow, MovingAddressRow, PathRow
from multisite.store.models.audit import AuditEndRow, AuditRow
from multisite.store.models.base import Base
from multisite.store.models.installation import InstallationRow
from multisite.store.models.jobs import JobRow, JournalRow, SlotRow, StepRow, WorkerRow
from multisite.store.models.networks import SitePortsRow, StretchedRow
from multisite.store.models.periodic import LeaseRow, ScheduleRow
from multisite.store.models.planes import PlaneRow
from multisite.store.models.resources import (
    ApplicationRow,
    MemberRow,
    ProjectGrantRow,
    ProtectionRow,
    RecoveryRow,
    RestorePointRow,
    SiteRow,
)

__all__ = [
    "AddressEpochRow",
    "ApplicationRow",
    "AuditEndRow",
    "AuditRow",
    "Base",
    "InstallationRow",
    "JobRow",
    "JournalRow",
    "LeaseRow",
    "MemberRow",
    "MovingAddressRow",
    "PathRow",
    "PlaneRow",
    "ProjectGrantRow",
    "ProtectionRow",
    "RecoveryRow",
    "RestorePointRow",
    "ScheduleRow",
    "SitePortsRow",
    "SiteRow",
    "SlotRow",
    "StepRow",
    "StretchedRow",
    "WorkerRow",
]
