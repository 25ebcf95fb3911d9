"""What warm standby is built of, beside the recoveries it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.jobs.engine import JobEngine
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.protect.points import KnownPoints
from multisite.recovery.recover.decider import Decider
from multisite.recovery.standby.job import standby_kind
from multisite.recovery.standby.look import StandbyCheck
from multisite.recovery.standby.service import StandbyService
from multisite.store.database import Database
from multisite.store.recoveries import RecoveryRepository
from multisite.store.standby import StandbyRepository


def standby_service(
    database: Database,
    points: KnownPoints,
    jobs: JobEngine,
    clouds: Sites,
    decider: Decider,
    methods: Mapping[str, ProtectionMethod],
    *,
    restores_per_site: int,
    now: Callable[[], datetime],
) -> StandbyService:
    """The service; registers its kind of job with ``jobs``."""
    rows, recoveries = StandbyRepository(database), RecoveryRepository(database)
    kind = standby_kind(clouds, rows, recoveries, methods, restores_per_site=restores_per_site, now=now)
    jobs.register(kind)
    check = StandbyCheck(clouds, jobs, rows, now)
    return StandbyService(database, points, jobs, decider, check, methods, now)
