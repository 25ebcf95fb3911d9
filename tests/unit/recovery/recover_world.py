"""A recovery service with the real engine, over a source that is lost and a simulated target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.manifest import Manifest
from multisite.domain.model import Recovery
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.service import RecoveryService
from multisite.store.database import Database
from multisite.store.trail import AuditTrail
from tests.manifest_store import store_in
from tests.unit.recovery.recover_samples import manifest
from tests.unit.simulated import Simulated, SimulatedSite

OPERATOR = Caller("u1", "olga", "proj", "vnf", frozenset({"member"}), "req-1")
OTHER_PROJECT = replace(OPERATOR, project_id="another")
NEW = {"create_missing_flavors": True, "ready_console": "GUEST-READY", "ready_timeout": 5}


class World:
    """Target "lyon" and source "paris"; ``reset`` begins both anew."""

    source: SimulatedSite
    target: SimulatedSite

    def __init__(self, path: Path) -> None:
        self.reset()
        self.database = Database(f"sqlite:///{path}/multisite.db")
        self.database.upgrade()
        self.trail = AuditTrail(self.database)
        self.manifests = store_in(path)
        self.jobs = JobEngine(self.database)
        self.service = RecoveryService(
            self.database, self.manifests, self.jobs, self.sites.clouds,
            restores_per_site=4, calls_per_site=8, audit=self.trail,
        )  # fmt: skip
        self.jobs.launch()

    def close(self) -> None:
        self.jobs.shutdown()
        self.trail.close()
        self.database.close()

    def reset(self) -> None:
        self.sites = Simulated()
        self.source, self.target = self.sites.source, self.sites.target

    def point(self, id: str, **more: Any) -> Manifest:
        """A restore point whose backups are in the store; each has an application of its own."""
        made = replace(
            manifest(**({"planes": 1} | more)), id=id, application=f"app-{id}", application_id=f"a-{id}"
        )
        for volume in made.volumes:
            parent = None
            for backup in chain_of(volume):
                self.target.store_backup(backup.id, parent)
                parent = backup.id
        self.manifests.write(made)
        return made

    def start(self, id: str, mapping: Any = None, caller: Caller = OPERATOR) -> Recovery:
        wanted = NEW if mapping is None else mapping
        return self.service.start(caller, id, "lyon", wanted, confirm=f"app-{id}")

    def wait(self, recovery: Recovery) -> tuple[Recovery, Job]:
        job = self.jobs.wait(recovery.job_id, 30)
        assert job.settled, [(s.name, s.state) for s in job.steps]
        return self.service.get(OPERATOR, recovery.id), job

    def recovered(self, id: str, mapping: Any = None) -> tuple[Recovery, Job]:
        recovery, job = self.wait(self.start(id, mapping))
        assert job.state is JobState.DONE, job.error
        return recovery, job

    def undone(self, recovery: Recovery) -> tuple[Recovery, Job]:
        self.service.undo(OPERATOR, recovery.id)
        return self.wait(recovery)
