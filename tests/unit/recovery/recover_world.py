"""A service with the real engine, and a target in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Unreachable
from multisite.domain.caller import Caller
from multisite.domain.errors import MultisiteError, NotFound
from multisite.domain.manifest import Manifest, ManifestError
from multisite.domain.model import Recovery
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.recover.service import RecoveryService
from multisite.recovery.recover.target_facts import TargetFacts
from multisite.store.database import Database
from tests.unit.recovery.recover_fakes import FakeTarget
from tests.unit.recovery.recover_samples import facts, manifest

OPERATOR = Caller("u1", "olga", "proj", "vnf", frozenset({"member"}), "req-1")
OTHER_PROJECT = replace(OPERATOR, project_id="another")
NEW = {"create_missing_flavors": True, "ready_console": "GUEST-READY", "ready_timeout": 5}


class Store:
    """The backup store."""

    def __init__(self) -> None:
        self.manifests: dict[str, Manifest] = {}

    def read(self, restore_point_id: str) -> Manifest:
        if restore_point_id == "damaged":
            raise ManifestError("manifest digest is a, expected b")
        if restore_point_id not in self.manifests:
            raise NotFound(f"restore point: {restore_point_id} is not in the backup store")
        return self.manifests[restore_point_id]


class World:
    """Target "lyon" and source "paris"; ``opened`` notes who was called."""

    def __init__(self, path: Path) -> None:
        self.database = Database(f"sqlite:///{path}/multisite.db")
        self.database.upgrade()
        self.store = Store()
        self.jobs = JobEngine(self.database)
        self.reset()
        self.service = RecoveryService(
            self.database, self.store, self.jobs, self, restores_per_site=4, calls_per_site=8
        )
        self.jobs.launch()

    def reset(self) -> None:
        self.target, self.source = FakeTarget("lyon"), FakeTarget("paris")
        self.source_error: MultisiteError | None = Unreachable("paris", "log in", "no route to host")
        self.facts: dict[str, Any] = {}
        self.opened: list[str] = []

    def open(self, name: str, *, for_project: str) -> CloudSite:
        self.opened.append(name)
        if name == "paris":
            if self.source_error is not None:
                raise self.source_error
            return self.source.as_site()
        if name != "lyon":
            raise NotFound(f"site: there is no site {name!r}")
        return self.target.as_site()

    def read_facts(self, site: CloudSite, ports_in: set[str], method_parts: Any) -> TargetFacts:
        return facts(**({"flavors": (), "quotas": {}} | self.facts))

    def point(self, id: str, **more: Any) -> Manifest:
        """A restore point; each has an application of its own."""
        made = replace(manifest(**({"planes": 1} | more)), id=id, application=f"app-{id}")
        self.store.manifests[id] = made
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


def row(target: FakeTarget, kind: str, name: str) -> dict[str, Any]:
    return next(r for r in target.rows[kind].values() if r["name"] == name)
