"""What the job of a move works with, and how its steps and their results are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.recovery.epochs import EpochStore
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.plans.outside import Outside
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.decider import Decider
from multisite.store.recoveries import RecoveryRepository

MEMBERS, FINAL, PLAN, SOURCE = "members", "final", "plan", "source"
STOP_SECONDS = 600.0
"""So long a guest may take to shut down, or a member to start again."""


@dataclass(frozen=True)
class MoveDependencies:
    """What the job works with.  Limits: how many at the same time."""

    sites: Sites
    recoveries: RecoveryRepository
    epochs: EpochStore
    protections: ProtectionService
    decider: Decider
    methods: Mapping[str, ProtectionMethod]
    restores_per_site: int
    calls_per_site: int
    now: Callable[[], datetime]
    before_undo: Callable[[str], None]
    """As ``JobKind.before_undo``."""
    outside: Outside
