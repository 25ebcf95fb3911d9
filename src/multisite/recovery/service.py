"""Protecting and recovering applications: what other parts of Multisite call."""

from multisite.recovery.methods import METHODS
from multisite.recovery.protect.service import (
    DEFAULT_FREEZE_SECONDS,
    FREEZE_SECONDS,
    MAX_GAP_SECONDS,
    ProtectionService,
)
from multisite.recovery.recover.service import RecoveryService

__all__ = [
    "DEFAULT_FREEZE_SECONDS",
    "FREEZE_SECONDS",
    "MAX_GAP_SECONDS",
    "METHODS",
    "ProtectionService",
    "RecoveryService",
]
