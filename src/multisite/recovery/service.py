"""Protecting and recovering applications: what other parts of Multisite call."""

from multisite.recovery.failback.remove import CommitPreview
from multisite.recovery.failback.service import FailbackService
from multisite.recovery.methods.offers import Choice, Offer
from multisite.recovery.plans.dns import MOST_RECORDS
from multisite.recovery.plans.groups import MOST_GATES, MOST_GROUPS
from multisite.recovery.plans.hooks import MOST_HOOKS
from multisite.recovery.plans.outside import Outside, outside
from multisite.recovery.plans.service import RecoveryPlanService
from multisite.recovery.policies.rpo import RpoReport
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.recovery.policies.service import PolicyService, RetentionPreview, ScheduleStatus
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.protect.targets import MOST as MOST_TARGETS
from multisite.recovery.protect.targets import in_order
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.recoverability import RecoverabilityChecks
from multisite.recovery.recover.service import RecoveryService
from multisite.recovery.staleness import StaleDatabaseCheck
from multisite.recovery.standby.service import StandbyService
from multisite.recovery.standby.statuses import StandbyStatus

__all__ = [
    "MOST_GATES",
    "MOST_GROUPS",
    "MOST_HOOKS",
    "MOST_RECORDS",
    "MOST_TARGETS",
    "Choice",
    "CommitPreview",
    "FailbackService",
    "Offer",
    "Outside",
    "PolicyScheduler",
    "PolicyService",
    "ProtectionService",
    "RecoverabilityChecks",
    "RecoveryPlanService",
    "RecoveryService",
    "RetentionPreview",
    "RpoReport",
    "Rules",
    "ScheduleStatus",
    "StaleDatabaseCheck",
    "StandbyService",
    "StandbyStatus",
    "in_order",
    "outside",
]
