"""Protecting a real application on a real site: windows, chains, and agents that are dead or hung.

The tests of this module build on each other and run in their order.  They use their own application, database
and manifests, so they can run beside others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from volume_group import volume_group

from multisite.applications.service import ApplicationService
from multisite.clouds import quiesce
from multisite.clouds.capabilities import discover
from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.manifest import Manifest
from multisite.domain.model import Protection, RestorePoint, RestorePointState
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.protect.service import ProtectionService
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository
from multisite_lab import sites, vnf
from tests.manifest_store import store_in

SITE = os.environ.get("MULTISITE_TEST_SITE", "site1")
TARGET = "site2" if SITE == "site1" else "site1"
NAME = "prot"
SERVERS = 2
FREEZE_LIMIT = 30


class Service:
    """A Multisite of our own, without its API, and an application to protect."""

    def __init__(self, folder: Any) -> None:
        self.database = Database(f"sqlite:///{folder}/multisite.sqlite")
        self.database.upgrade()
        rows = SiteRepository(self.database)
        self.clouds = Sites(lambda name: rows.by_name(name).cloud, config_file=sites.clouds_yaml())
        self.jobs = JobEngine(self.database)
        self.store = store_in(folder)
        self.sites = SiteService(rows, self.clouds)
        self.applications = ApplicationService(ApplicationRepository(self.database), self.clouds)
        self.protections = ProtectionService(
            self.database,
            self.applications,
            self.sites,
            self.store,
            self.jobs,
            self.clouds,
            backups_per_site=2,
            capabilities=discover,
        )
        self.jobs.launch()
        project = self.clouds_of(SITE).project_id if self._register() else ""
        self.caller = Caller("tester", "tester", project, "tester", frozenset({"admin"}), "req-test")

    def clouds_of(self, name: str) -> Any:
        return self.clouds.open_for_service(name)

    def _register(self) -> bool:
        nobody = Caller("", "", "", "", frozenset({"admin"}), "")
        for name in ("site1", "site2"):
            self.sites.register(nobody, name, name)
        return True

    def run(self, protection: Protection, incremental: bool | None = None) -> tuple[Job, RestorePoint]:
        job_id = self.protections.run(self.caller, protection.id, incremental)
        job = self.jobs.wait(job_id, 600)
        assert job.settled, job
        points = self.protections.restore_points(self.caller)
        return job, next(p for p in points if p.job_id == job_id)

    def close(self) -> None:
        for point in self.protections.restore_points(self.caller):
            job_id = self.protections.delete_restore_point(self.caller, point.id)
            if job_id:
                assert self.jobs.wait(job_id, 300).state == JobState.DONE
        self.jobs.shutdown()
        self.database.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.close()


@pytest.fixture(scope="module")
def application(service: Service) -> Iterator[vnf.Vnf]:
    vnf.destroy(SITE, NAME)
    try:
        made = vnf.deploy(SITE, NAME, servers=SERVERS)
        service.applications.create(service.caller, NAME, SITE, [{"id": s.id} for s in made.servers])
        yield made
    finally:
        vnf.destroy(SITE, NAME)


@pytest.fixture(scope="module")
def protection(service: Service, application: vnf.Vnf) -> Protection:
    return service.protections.create(
        service.caller, application.name, "consistent-backup", target_site=TARGET,
        options={"freeze_timeout": FREEZE_LIMIT, "console_mark": vnf.FREEZE_MARK},
    )  # fmt: skip


@pytest.fixture
def untouched(service: Service, application: vnf.Vnf) -> Iterator[None]:
    """Afterwards nothing is frozen and Cinder holds no more than before."""
    before = in_cinder(service, application)
    yield
    assert not any(frozen(application))
    assert in_cinder(service, application) == before


def frozen(application: vnf.Vnf) -> list[bool]:
    """Asked of the guests themselves."""
    asked = [sites.guest_agent(SITE, s.domain, "guest-fsfreeze-status") for s in application.servers]
    return [answer == "frozen" for answer in asked]


def in_cinder(service: Service, application: vnf.Vnf) -> dict[str, set[str]]:
    """What Cinder holds of the application's volumes, by id."""
    volume = service.clouds_of(SITE).volume
    ours = {v for s in application.servers for v in (s.root, s.data)}
    return {
        "snapshots": {s.id for s in volume.snapshots() if s.volume_id in ours},
        "backups": {b.id for b in volume.backups() if b.volume_id in ours},
    }


def chains(manifest: Manifest) -> dict[str, list[str]]:
    return {v.id: [b.id for b in chain_of(v)] for v in manifest.volumes}


def tell(what: str, job: Job, point: RestorePoint) -> None:
    windows = ", ".join(f"{w['server_name']} {w['seconds']:.2f} s" for w in point.frozen)
    steps = ", ".join(f"{s.name} {s.elapsed:.1f} s" for s in job.steps if s.elapsed is not None)
    print(f"\n{what}: frozen {point.frozen_seconds} s in all ({windows}); {steps}")


def until(condition: Any, timeout: float, what: str) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.3)
    return time.monotonic() - begun


def test_full_then_incremental(service: Service, application: vnf.Vnf, protection: Protection) -> None:
    chain: dict[str, list[str]] = {}
    for number, kind in enumerate(("full", "incremental"), start=1):
        job, point = service.run(protection)
        assert job.state == JobState.DONE, job.error
        tell(kind, job, point)
        assert point.state == RestorePointState.AVAILABLE
        assert (point.incremental, point.quiesced) == (number == 2, True)
        assert [w["server_name"] for w in point.frozen] == [s.name for s in application.servers]
        assert all(0 < w["seconds"] < FREEZE_LIMIT for w in point.frozen)
        manifest = service.store.read(point.id)
        assert all(len(backups) == number for backups in chains(manifest).values())
        assert all(chains(manifest)[v][:-1] == backups for v, backups in chain.items())
        chain = chains(manifest)
        held = in_cinder(service, application)
        assert held["snapshots"] == set()
        assert held["backups"] == {b for backups in chain.values() for b in backups}
        assert not any(frozen(application))
    newest = {b.id: b for b in service.clouds_of(SITE).volume.backups()}
    assert all(newest[backups[1]].is_incremental for backups in chain.values())


def test_marks_are_the_records_the_guests_stood_on(service: Service, application: vnf.Vnf) -> None:
    point = service.protections.restore_points(service.caller)[0]
    marks = {m["server_id"]: vnf.marked(m["text"]) for m in point.marks}
    assert marks == {s.id: vnf.expected(SITE, s.id) for s in application.servers}


@pytest.fixture
def group(service: Service, application: vnf.Vnf) -> Iterator[str]:
    """A Cinder group of exactly the application's volumes, of a type that promises consistent snapshots."""
    ours = [volume for server in application.servers for volume in (server.root, server.data)]
    with volume_group(service.clouds_of(SITE).volume, NAME, ours) as made:
        yield made


def test_a_group_is_snapshotted_as_one(
    service: Service, application: vnf.Vnf, protection: Protection, group: str
) -> None:
    before = in_cinder(service, application)
    job, point = service.run(protection)
    assert job.state == JobState.DONE, job.error
    tell("group snapshot", job, point)
    taken = next(
        line for line in service.jobs.get(job.id).journal if "consistency point taken" in line.message
    )
    assert taken.data["group"] == group
    assert point.incremental
    assert in_cinder(service, application)["snapshots"] == before["snapshots"] == set()
    assert list(service.clouds_of(SITE).volume.group_snapshots()) == []


def test_a_member_that_must_not_be_frozen(service: Service, application: vnf.Vnf, untouched: None) -> None:
    active, standby = application.servers
    record = service.applications.get(service.caller, NAME)
    repository = ApplicationRepository(service.database)
    members = tuple(
        type(m)(m.server_id, m.server_name, m.order, m.server_id != active.id) for m in record.members
    )
    repository.update(type(record)(**{**vars(record), "members": members}))
    limit = {"freeze_timeout": FREEZE_LIMIT}
    made = service.protections.create(
        service.caller, NAME, "consistent-backup", target_site=TARGET, options=limit
    )
    try:
        job, point = service.run(made, incremental=False)
        tell("standby only", job, point)
        assert job.state == JobState.DONE, job.error
        assert [w["server_name"] for w in point.frozen] == [standby.name]
        assert any(active.name in n and "crash-consistent" in n for n in service.store.read(point.id).notes)
        deletion = service.protections.delete_restore_point(service.caller, point.id)
        assert deletion is not None
        assert service.jobs.wait(deletion, 300).state == JobState.DONE
    finally:
        repository.update(record)


def test_snapshots_that_do_not_come_within_the_limit(
    service: Service, application: vnf.Vnf, untouched: None
) -> None:
    limit = {"freeze_timeout": 5}
    made = service.protections.create(
        service.caller, NAME, "consistent-backup", target_site=TARGET, options=limit
    )
    sites.service(SITE, "cinder-volume", "pause")
    try:
        job_id = service.protections.run(service.caller, made.id)
        until(lambda: any(frozen(application)), 60, "a server is frozen")
        seconds = until(lambda: not any(frozen(application)), 30, "thawed")
        print(f"\nslow snapshots: thawed after {seconds:.1f} s")
    finally:
        sites.service(SITE, "cinder-volume", "resume")
    job = service.jobs.wait(job_id, 300)
    assert job.state == JobState.UNDONE, job.error
    assert "raise freeze_timeout" in str(job.error)


def test_a_hung_agent(
    service: Service, application: vnf.Vnf, protection: Protection, untouched: None
) -> None:
    first, second = application.servers
    # much longer than the run takes, also on a slow machine
    hang = "sleep 1; kill -STOP $(cat /run/qga.pid); sleep 110; kill -CONT $(cat /run/qga.pid)"
    sites.guest_exec(SITE, second.domain, f"({hang}) > /dev/null 2>&1 &")
    time.sleep(3)
    begun = time.monotonic()
    job, point = service.run(protection)
    took = time.monotonic() - begun
    assert job.state == JobState.UNDONE, job.error
    assert f"server {second.name} could not be frozen" in str(job.error)
    assert not answers(second), f"after {took:.1f} s it is not hung any more: did the run wait for it?"
    assert sites.guest_agent(SITE, first.domain, "guest-fsfreeze-status") == "thawed"
    print(f"\nhung agent: the run ended after {took:.1f} s: {job.error}")
    assert point.state == RestorePointState.FAILED
    settled = until(lambda: answers(second), 180, "the agent answers again")
    cloud = service.clouds_of(SITE)
    thawed = until(lambda: quiesce.state(cloud, second.id).state == "thawed", 180, "nova-api thawed it")
    print(f"the agent came back after {settled:.1f} s, nova-api had it thawed {thawed:.1f} s later")


def answers(server: vnf.Server) -> bool:
    try:
        return bool(sites.guest_agent(SITE, server.domain, "guest-fsfreeze-status", timeout=2))
    except sites.LabError:
        return False


def test_a_run_after_a_hung_agent_works_again(
    service: Service, application: vnf.Vnf, protection: Protection
) -> None:
    job, point = service.run(protection)
    assert job.state == JobState.DONE, job.error
    tell("after the hung agent", job, point)
    assert not any(frozen(application))


def test_a_dead_agent(service: Service, application: vnf.Vnf, protection: Protection) -> None:
    """Last, because this guest's agent does not come back."""
    first, second = application.servers
    before = in_cinder(service, application)
    sites.guest_exec(SITE, second.domain, "(sleep 1; kill -9 $(cat /run/qga.pid)) > /dev/null 2>&1 &")
    until(lambda: not answers(second), 30, "the agent is dead")
    begun = time.monotonic()
    job, _ = service.run(protection)
    print(f"\ndead agent: the run ended after {time.monotonic() - begun:.1f} s: {job.error}")
    assert job.state == JobState.UNDONE, job.error
    assert f"server {second.name} could not be frozen" in str(job.error)
    assert any("left to nova-api" in line.message for line in service.jobs.get(job.id).journal)
    assert sites.guest_agent(SITE, first.domain, "guest-fsfreeze-status") == "thawed"
    assert in_cinder(service, application) == before
