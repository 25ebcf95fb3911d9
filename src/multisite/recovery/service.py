"""Protecting and recovering applications: what other parts of Multisite call."""

from multisite.recovery.protection_service import ProtectionService
from multisite.recovery.recovery_service import RecoveryService

__all__ = ["ProtectionService", "RecoveryService"]
