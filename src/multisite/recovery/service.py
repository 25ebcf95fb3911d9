"""Protecting and recovering applications: what other parts of Multisite call."""

from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.service import RecoveryService
from multisite.recovery.staleness import StaleDatabaseCheck

__all__ = ["ProtectionService", "RecoveryService", "Rules", "StaleDatabaseCheck"]
