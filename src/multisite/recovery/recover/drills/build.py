"""What drills are built of, beside the recoveries they are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.domain.manifest import Manifest
from multisite.jobs.engine import JobEngine
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.plans.outside import Outside
from multisite.recovery.recover.decider import Decider
from multisite.recovery.recover.drills.job import DrillDependencies, drill_kinds
from multisite.recovery.recover.drills.report import report_writer
from multisite.recovery.recover.drills.service import DrillService
from multisite.store.database import Database
from multisite.store.drills import DrillRepository
from multisite.store.recoveries import RecoveryRepository


def drill_service(
    database: Database,
    manifests: ManifestStore,
    jobs: JobEngine,
    clouds: Sites,
    decider: Decider,
    refuse_deleted: Callable[[Manifest], None],
    *,
    methods: Mapping[str, ProtectionMethod],
    now: Callable[[], datetime],
    restores_per_site: int,
    calls_per_site: int,
    outside: Outside,
) -> DrillService:
    """The service; registers its kinds of job with ``jobs``."""
    recoveries, drills = RecoveryRepository(database), DrillRepository(database)
    write = report_writer(recoveries, drills, manifests.keys, now)
    here = DrillDependencies(
        clouds,
        manifests,
        recoveries,
        drills,
        jobs,
        methods,
        restores_per_site,
        calls_per_site,
        now,
        outside,
        write,
    )
    for kind in drill_kinds(here):
        jobs.register(kind)
    return DrillService(database, jobs, decider, manifests.keys, refuse_deleted, now)
