"""The tables: importing this package makes all of them known."""

from multisite.store.models.addresses import AddressEpochRow, MovingAddressRow, PathRow
from multisite.store.models.audit import AuditEndRow, AuditRow
from multisite.store.models.base import Base
from multisite.store.models.global_quotas import GlobalQuotaRow
from multisite.store.models.image_replications import ImageReplicationRow
from multisite.store.models.installation import InstallationRow
from multisite.store.models.jobs import JobRow, JournalRow, SlotRow, StepRow, WorkerRow
from multisite.store.models.networks import SitePortsRow, StretchedRow
from multisite.store.models.periodic import LeaseRow, ScheduleRow
from multisite.store.models.planes import PlaneRow
from multisite.store.models.policies import PolicyRow, ProtectionScheduleRow, RpoSampleRow
from multisite.store.models.recoverability import RecoverabilityRow
from multisite.store.models.resource_syncs import ResourceSyncRow, SyncItemRow
from multisite.store.models.resources import (
    ApplicationRow,
    DrillRow,
    MemberRow,
    OldCopyRow,
    ProjectGrantRow,
    ProtectionRow,
    RecoveryPlanRow,
    RecoveryRow,
    RestorePointRow,
    SiteRow,
)
from multisite.store.models.standby import StandbyRow

__all__ = [
    "AddressEpochRow",
    "ApplicationRow",
    "AuditEndRow",
    "AuditRow",
    "Base",
    "DrillRow",
    "GlobalQuotaRow",
    "ImageReplicationRow",
    "InstallationRow",
    "JobRow",
    "JournalRow",
    "LeaseRow",
    "MemberRow",
    "MovingAddressRow",
    "OldCopyRow",
    "PathRow",
    "PlaneRow",
    "PolicyRow",
    "ProjectGrantRow",
    "ProtectionRow",
    "ProtectionScheduleRow",
    "RecoverabilityRow",
    "RecoveryPlanRow",
    "RecoveryRow",
    "ResourceSyncRow",
    "RestorePointRow",
    "RpoSampleRow",
    "ScheduleRow",
    "SitePortsRow",
    "SiteRow",
    "SlotRow",
    "StandbyRow",
    "StepRow",
    "StretchedRow",
    "SyncItemRow",
    "WorkerRow",
]
