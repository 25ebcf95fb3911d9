"""Builds the services once, from the configuration.  The only place that knows every constructor."""

from __future__ import annotations

import logging
import os
import pwd
import socket
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from multisite.applications.service import ApplicationService
from multisite.clouds.capabilities import discover
from multisite.clouds.connect import READ_SECONDS, Sites
from multisite.clouds.mirror import settings as mirror_settings
from multisite.command import options
from multisite.command.backup_store import manifest_store
from multisite.domain.caller import Caller
from multisite.domain.errors import MultisiteError
from multisite.jobs.engine import JobEngine
from multisite.jobs.executor import Sharing
from multisite.jobs.retention import Policy, Retention
from multisite.networks.addresses import guard
from multisite.networks.addresses.service import AddressService
from multisite.networks.paths.service import PathService
from multisite.networks.planes.service import PlaneService
from multisite.networks.probe.service import ProbeService
from multisite.networks.stretch.notifications import Listeners, parsed
from multisite.networks.stretch.reconcile import Reconciler
from multisite.networks.stretch.service import NetworkService
from multisite.periodic.loop import Loop
from multisite.periodic.schedule import Cron, Interval
from multisite.periodic.task import Mode, Task
from multisite.recovery.failback import guard as old_copies
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.policies import rpo, scheduler
from multisite.recovery.recover import recoverability
from multisite.recovery.service import (
    FailbackService,
    PolicyScheduler,
    PolicyService,
    ProtectionService,
    RecoveryPlanService,
    RecoveryService,
    StaleDatabaseCheck,
    outside,
)
from multisite.recovery.standby import service as standby
from multisite.resources.images.pace import Pace
from multisite.resources.images.service import ImageService
from multisite.resources.quotas import service as quota_service
from multisite.resources.quotas.service import GlobalQuotaService
from multisite.resources.sync import service as resource_sync
from multisite.resources.sync.service import ResourceSyncService
from multisite.sites.grants import ProjectGrantService
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.grants import ProjectGrantRepository
from multisite.store.sites import SiteRepository
from multisite.store.trail import AuditTrail

LOG = logging.getLogger(__name__)

NETWORKS = "stretched-networks"
"""The periodic task that keeps them in sync."""


@dataclass(frozen=True)
class Services:
    """What the API calls.  ``jobs`` works once it is launched; ``close`` ends it and the database."""

    sites: SiteService
    grants: ProjectGrantService
    applications: ApplicationService
    protections: ProtectionService
    policies: PolicyService
    recoveries: RecoveryService
    recovery_plans: RecoveryPlanService
    failback: FailbackService
    jobs: JobEngine
    audit: AuditTrail
    database: Database
    networks: NetworkService
    addresses: AddressService
    paths: PathService
    planes: PlaneService
    images: ImageService
    resource_syncs: ResourceSyncService
    quotas: GlobalQuotaService
    probe: ProbeService
    periodic: Loop
    notifications: Listeners
    staleness: StaleDatabaseCheck

    def begin(self) -> None:
        """Carry out jobs and periodic tasks.  Conflict while another process has the jobs."""
        self.jobs.launch()
        self.periodic.start()
        self.notifications.start()

    def close(self) -> None:
        self.notifications.stop()
        self.periodic.stop()
        self.jobs.shutdown()
        self.audit.close()
        self.database.close()


def build(conf: cfg.ConfigOpts, *, carry_out: bool = True) -> Services:
    """Open the database (upgrading it) and make every service.  No site is contacted.

    ``carry_out``: whether jobs are carried out in this process, or only accepted for others.
    """
    Path(conf.state_path).mkdir(parents=True, exist_ok=True)
    database = Database(options.database_url(conf))
    database.upgrade()
    audit = AuditTrail(database)
    clouds = _clouds(conf, database, audit)
    # Its own connections: a pass over the networks must not wait as long for a site as a restore may.
    near = _clouds(conf, database, audit, timeout=conf.networks.site_timeout)
    manifests = manifest_store(conf)
    manifests.keys.make()
    staleness = StaleDatabaseCheck(database, manifests, lambda: audit.changes)
    jobs = JobEngine(database, sharing(conf, carry_out=carry_out), staleness)
    sites = SiteService(SiteRepository(database), clouds)
    applications = ApplicationService(ApplicationRepository(database), clouds)
    reconciler = _reconciler(conf, database, near)
    networks = NetworkService(database, sites, clouds, jobs, reconciler, vni_range=options.vni_range(conf))
    addresses = AddressService(database, jobs, clouds, audit=audit)
    protections = ProtectionService(
        database, applications, sites, manifests, jobs, clouds, capabilities=discover,
        backups_per_site=conf.limits.backups_per_site, restores_per_site=conf.limits.restores_per_site,
    )  # fmt: skip
    recoveries = _recoveries(conf, database, manifests, jobs, clouds, protections, audit)
    due = PolicyScheduler(database, protections, jobs, drills=recoveries.drills)
    policies = PolicyService(database, protections)
    failback = FailbackService(database, manifests, jobs, clouds, near, protections, audit)
    images, syncs, quotas = _resources(conf, database, jobs, clouds)
    tasks = _tasks(
        conf, database, audit, reconciler, addresses, due, policies, recoveries, failback, syncs, quotas
    )
    periodic = Loop(tasks if carry_out else (), database, staleness.why_rest)
    return Services(
        sites=sites, applications=applications, protections=protections, database=database, staleness=staleness,
        grants=ProjectGrantService(ProjectGrantRepository(database), clouds), networks=networks, addresses=addresses,
        policies=policies, probe=ProbeService(), periodic=periodic, recoveries=recoveries, jobs=jobs, audit=audit,
        paths=PathService(database, jobs, clouds), recovery_plans=RecoveryPlanService(database, applications),
        planes=PlaneService(database, applications, sites, clouds, jobs, networks), failback=failback,
        images=images, resource_syncs=syncs, quotas=quotas,
        notifications=Listeners(
            parsed(conf.networks.notifications) if carry_out else {}, lambda: periodic.wake(NETWORKS)),
    )  # fmt: skip


def _recoveries(
    conf: cfg.ConfigOpts, database: Database, manifests: ManifestStore, jobs: JobEngine, clouds: Sites,
    protections: ProtectionService, audit: AuditTrail,
) -> RecoveryService:  # fmt: skip
    return RecoveryService(
        database, manifests, jobs, clouds, restores_per_site=conf.limits.restores_per_site, protections=protections,
        calls_per_site=conf.limits.calls_per_site, audit=audit, outside=outside(**conf.recovery_plans),
    )  # fmt: skip


def _reconciler(conf: cfg.ConfigOpts, database: Database, near: Sites) -> Reconciler:
    return Reconciler(database, near, parallel=conf.networks.parallel, patience=conf.networks.site_timeout)


def _resources(
    conf: cfg.ConfigOpts, database: Database, jobs: JobEngine, clouds: Sites
) -> tuple[ImageService, ResourceSyncService, GlobalQuotaService]:
    pace = Pace(int(conf.images.link_mib_per_second * (1 << 20)))
    return (
        ImageService(database, jobs, clouds, streams=conf.images.at_once, pace=pace),
        ResourceSyncService(database, jobs, clouds, pace=pace),
        GlobalQuotaService(database, jobs, clouds),
    )


def _clouds(
    conf: cfg.ConfigOpts, database: Database, audit: AuditTrail, timeout: float = READ_SECONDS
) -> Sites:
    rows = SiteRepository(database)
    return Sites(
        lambda name: rows.by_name(name).cloud,
        grants=ProjectGrantRepository(database),
        config_file=conf.clouds.config_file,
        timeout=timeout,
        trail=audit,
        mirrors=mirror_settings.parsed(conf.replication.backends, audit),
    )


def _tasks(
    conf: cfg.ConfigOpts,
    database: Database,
    audit: AuditTrail,
    reconciler: Reconciler,
    addresses: AddressService,
    due: PolicyScheduler,
    policies: PolicyService,
    recoveries: RecoveryService,
    failback: FailbackService,
    syncs: ResourceSyncService,
    quotas: GlobalQuotaService,
) -> list[Task]:
    """What is done periodically; a new one is a row here."""
    each = Mode.CONTINUOUS
    retention = Retention(database, audit, Policy(conf.retention.job_days, conf.retention.audit_days))
    return [
        Task(NETWORKS, Interval(conf.networks.interval), reconciler.run, each, reconciler.release),
        Task("moving-addresses", Interval(guard.SECONDS), guard.AddressGuard(addresses).tick, each),
        Task("retention", Cron("37 * * * *"), retention.run, Mode.TICKS),
        Task("policies", Interval(scheduler.SECONDS), due.run, each, due.close),
        Task("rpo", Interval(rpo.SECONDS), policies.rpo.sample, each),
        Task("recoverability", Interval(recoverability.SECONDS), recoveries.recoverability.run, each),
        Task("standby", Interval(standby.SECONDS), recoveries.standby.run, each, recoveries.standby.close),
        Task("resource-syncs", Interval(resource_sync.SECONDS), syncs.run, each),
        Task("quotas", Interval(quota_service.SECONDS), quotas.run, each),
        Task("old-copies", Interval(old_copies.SECONDS), failback.guard.tick, each),
    ]


def sharing(conf: cfg.ConfigOpts, *, carry_out: bool = True) -> Sharing:
    """How this process shares the jobs with others."""
    name = conf.jobs.worker_name or f"{socket.gethostname()}-{os.getpid()}"
    return Sharing(name[:200], carry_out, conf.jobs.lease_seconds, conf.jobs.at_once)


def rescan(services: Services) -> None:
    """Bring the database in line with the backup store; a store that is away now is only logged."""
    try:
        found = services.protections.rescan(myself())
    except MultisiteError as error:
        LOG.warning("the backup store could not be read, restore points are as last known: %s", error)
    else:
        LOG.info("the backup store holds %d restore points", len(found))


def myself() -> Caller:
    """The service acting for itself: whoever runs the process, with every right."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Caller(name, name, "", "", frozenset({"admin"}), "")
