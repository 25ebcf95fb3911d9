"""A Multisite over simulated sites: its services and database in a folder, its jobs here or in a process of
their own.

    with make_world() as world, running_service(folder, world) as service:
        application = service.deploy("mme")
        job, point = service.protect("mme")
        world.lose("site1")
        job, recovery = service.recover(point.id)

For a crash matrix the sites stay in the test's process and the service works in another one::

    done = worker_process(folder, "protect", "mme", die_at=7)     # kills itself (-9) at its seventh step boundary
    done = worker_process(folder, "rest")   # a new process carries on until every job rests
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multisite.applications.service import ApplicationService
from multisite.clouds.capabilities import discover
from multisite.clouds.connect import READ_SECONDS, CloudSite, Sites
from multisite.clouds.mirror.backend import MirrorBackend
from multisite.domain.caller import Caller
from multisite.domain.model import Application, Protection, Recovery, RestorePoint
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.plans.outside import NOTHING, Outside
from multisite.recovery.service import (
    FailbackService,
    ProtectionService,
    RecoveryPlanService,
    RecoveryService,
    StaleDatabaseCheck,
)
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.grants import ProjectGrantRepository
from multisite.store.sites import SiteRepository
from multisite.store.trail import AuditTrail
from multisite_lab.guest.console import FREEZE_MARK
from multisite_lab.sim.model import State
from multisite_lab.sim.world import World
from tests.manifest_store import store_in
from tests.sim import deploy as template

SITE, TARGET = "site1", "site2"
CLOUDS, STORE, DATABASE = "clouds.yaml", "store", "multisite.sqlite"
PATIENCE = 120.0
BACKUPS_PER_SITE = 2
ROOT = Path(__file__).parents[2]
MAPPING = {
    "create_missing_flavors": True,
    "source_is_fenced": True,
    "ready_console": "GUEST-READY",
    "ready_timeout": 60,
    "boot_timeout": 60,
}
"""As an operator recovers who has lost the site."""


class Service:
    """The services over a folder that holds ``clouds.yaml``; one process at a time may have it open.

    ``granted``: work is done in the projects that grants say, as ``multisite`` does; else in the account's own.
    """

    def __init__(
        self,
        folder: Path,
        answer_seconds: float = READ_SECONDS,
        patience: float = PATIENCE,
        *,
        granted: bool = False,
        mirrors: Mapping[str, MirrorBackend] | None = None,
        outside: Outside = NOTHING,
    ) -> None:
        (folder / STORE).mkdir(exist_ok=True)
        self.folder, self.patience = folder, patience
        self.database = Database(f"sqlite:///{folder / DATABASE}")
        self.database.upgrade()
        rows = SiteRepository(self.database)
        self.grants = ProjectGrantRepository(self.database)
        self.clouds = Sites(
            lambda name: rows.by_name(name).cloud,
            config_file=folder / CLOUDS,
            timeout=answer_seconds,
            grants=self.grants if granted else None,
            mirrors=mirrors,
        )
        self.manifests = store_in(folder / STORE, state=folder / "keys")
        self.staleness = StaleDatabaseCheck(self.database, self.manifests)
        self.jobs = JobEngine(self.database, staleness=self.staleness)
        self.sites = SiteService(rows, self.clouds)
        self.applications = ApplicationService(ApplicationRepository(self.database), self.clouds)
        self.protections = ProtectionService(
            self.database,
            self.applications,
            self.sites,
            self.manifests,
            self.jobs,
            self.clouds,
            backups_per_site=BACKUPS_PER_SITE,
            capabilities=discover,
        )
        self.audit = AuditTrail(self.database)
        self.recoveries = RecoveryService(
            self.database, self.manifests, self.jobs, self.clouds, restores_per_site=4, calls_per_site=8,
            audit=self.audit, outside=outside, protections=self.protections,
        )  # fmt: skip
        self.plans = RecoveryPlanService(self.database, self.applications)
        self.failback = FailbackService(
            self.database, self.manifests, self.jobs, self.clouds, self.clouds, self.protections, self.audit
        )
        self.caller = Caller("tester", "tester", "p1", "tester", frozenset({"admin"}), "req-test")

    def open(self) -> None:
        """Register the sites, unless they are, and begin to work."""
        known = {site.name for site in self.sites.list(self.caller)}
        for name in self.clouds.entries():
            if not name.endswith(("-member", "-other")) and name not in known:
                self.sites.register(self.caller, name, name)
        self.jobs.launch()

    def close(self) -> None:
        self.jobs.shutdown()
        self.audit.close()
        self.database.close()

    def cloud(self, name: str = SITE) -> CloudSite:
        return self.clouds.open_for_service(name)

    def deploy(
        self, name: str, servers: int = 2, site: str = SITE, *, full: bool = True
    ) -> template.Deployed:
        """An application that runs, and is known here; ``full`` as ``deploy.deploy`` says."""
        made = template.deploy(self.cloud(site), name, servers, full=full)
        self.applications.create(self.owner(site), name, site, [{"id": s} for s in made.order])
        return made

    def owner(self, site: str = SITE) -> Caller:
        """An administrator of the project applications are in there."""
        project_id = self.cloud(site).project_id
        return Caller("tester", "tester", project_id, "tester", frozenset({"admin"}), "req-test")

    def application(self, name: str) -> Application:
        return self.applications.get(self.caller, name)

    def protection(self, name: str, **options: Any) -> Protection:
        """The one of the application; made at the first time, and anew when there are options."""
        found = [p for p in self.protections.list(self.caller) if p.application == name]
        if found and not options:
            return found[-1]
        wanted = {"freeze_timeout": 30, "console_mark": FREEZE_MARK} | options
        return self.protections.create(
            self.caller, name, "consistent-backup", target_site=TARGET, options=wanted
        )

    def protect(self, name: str, incremental: bool | None = None, **options: Any) -> tuple[Job, RestorePoint]:
        job_id = self.protections.run(self.caller, self.protection(name, **options).id, incremental)
        job = self.rest(job_id)
        points = self.protections.restore_points(self.caller)
        return job, next(point for point in points if point.job_id == job_id)

    def recover(self, point_id: str, target: str = TARGET, **mapping: Any) -> tuple[Job, Recovery]:
        name = self.manifests.read(point_id).application
        started = self.recoveries.start(self.caller, point_id, target, {**MAPPING, **mapping}, confirm=name)
        return self.rest(started.job_id), self.recoveries.get(self.caller, started.id)

    def undo(self, recovery_id: str) -> tuple[Job, Recovery]:
        recovery = self.recoveries.undo(self.caller, recovery_id)
        return self.rest(recovery.job_id), self.recoveries.get(self.caller, recovery_id)

    def undone(self, recovery_id: str) -> None:
        """As ``undo``, which ends well."""
        job, _ = self.undo(recovery_id)
        assert job.state is JobState.UNDONE, job.error

    def resume(self, recovery_id: str) -> tuple[Job, Recovery]:
        recovery = self.recoveries.resume(self.caller, recovery_id)
        return self.rest(recovery.job_id), self.recoveries.get(self.caller, recovery_id)

    def rest(self, job_id: str) -> Job:
        """The job, settled; ``patience`` seconds at most."""
        job = self.jobs.wait(job_id, self.patience)
        assert job.settled, f"{job.title} does not come to rest: {job.state}"
        return job

    def points(self) -> list[RestorePoint]:
        """Newest first."""
        return self.protections.restore_points(self.caller)

    def owners(self) -> set[str]:
        """The jobs whose resources may be in the sites now: those that were carried out, and not undone."""
        return {job.id for job in self.jobs.list() if job.state not in ("undone",)}


def state_of(world: World, name: str = TARGET) -> State:
    """What a site has now."""
    return world.sites[name].settle().state


@contextmanager
def running_service(
    folder: Path,
    world: World,
    *,
    granted: bool = False,
    mirrors: Mapping[str, MirrorBackend] | None = None,
    outside: Outside = NOTHING,
) -> Iterator[Service]:
    """A service in this process."""
    prepare(folder, world)
    service = Service(folder, granted=granted, mirrors=mirrors, outside=outside)
    service.open()
    try:
        yield service
    finally:
        service.close()


def prepare(folder: Path, world: World) -> None:
    """What a service needs to find in its folder."""
    world.write_clouds(folder / CLOUDS)


@dataclass(frozen=True)
class ProcessEnd:
    """How a process of the service ended: ``code`` -9 when it killed itself at a step boundary.

    ``boundaries``: those it passed, in order.  ``told``: what its verb gave, None after a death.
    """

    code: int
    boundaries: tuple[str, ...]
    told: Any


def worker_process(
    folder: Path, verb: str, *words: str, die_at: int | None = None, seconds: float = 180.0
) -> ProcessEnd:
    """Let the service live in a process of its own for one verb of ``worker.py``."""
    argv = [sys.executable, "-m", "tests.sim.worker", str(folder), verb, *words]
    passed = folder / "boundaries"
    passed.unlink(missing_ok=True)
    if die_at is not None:
        argv += ["--die-at", str(die_at)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    assert done.returncode in (0, -9), done.stderr
    boundaries = tuple(passed.read_text().split()) if passed.exists() else ()
    return ProcessEnd(done.returncode, boundaries, json.loads(done.stdout) if done.returncode == 0 else None)
