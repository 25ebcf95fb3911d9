"""Recovering in a real site, with the faults an operator meets: each test leaves the target as it found it.

The services run inside this process, so that a test can stop them at a chosen moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from multisite.applications.service import ApplicationService
from multisite.clouds import build, tokens
from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict
from multisite.domain.manifest import Manifest
from multisite.domain.model import Recovery, RecoveryState
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import StepState
from multisite.jobs.view import Job
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.protect_cloud import opener
from multisite.recovery.service import ProtectionService, RecoveryService
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository
from multisite_lab import sites, vnf

NAME = "rec"
JOB_SECONDS = 800
RULES = {"create_missing_flavors": True, "source_is_fenced": True, "ready_console": "GUEST-READY"}


class Service:
    """Multisite in this process; ``crash`` and ``start`` are its death and return, on the same database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        target = vnf.connect("site2")
        project, user = target.current_project_id, target.current_user_id
        self.me = Caller(user, "operator", project, "vnf", frozenset({"admin"}), "req-test")
        (folder / "store").mkdir()
        self.manifests = ManifestStore(folder / "store")
        self.manifests.initialise()
        self.start()

    def start(self) -> None:
        self.database = Database(f"sqlite:///{self.folder}/multisite.db")
        self.database.upgrade()
        rows = SiteRepository(self.database)
        self.clouds = Sites(lambda name: rows.by_name(name).cloud, config_file=sites.clouds_yaml())
        self.sites = SiteService(rows, self.clouds)
        self.applications = ApplicationService(ApplicationRepository(self.database), self.clouds)
        self.jobs = JobEngine(self.database)
        cloud = opener(self.clouds)
        self.protections = ProtectionService(
            self.database, self.applications, self.sites, self.manifests, self.jobs, cloud
        )
        self.recoveries = RecoveryService(self.database, self.manifests, self.jobs, self.clouds)
        self.jobs.launch()

    def crash(self) -> None:
        """Running steps never learn how they ended; the threads they leave behind end with their waits."""
        self.jobs.shutdown(timeout=0.0)

    def start_recovery(self, point: Manifest, **rules: Any) -> Recovery:
        return self.recoveries.start(self.me, point.id, "site2", RULES | rules, confirm=NAME)

    def settled(self, recovery: Recovery) -> tuple[Recovery, Job]:
        job = self.jobs.wait(recovery.job_id, JOB_SECONDS)
        assert job.settled, [(s.name, s.state.value, s.detail) for s in job.steps]
        return self.recoveries.get(self.me, recovery.id), job

    def undone(self, recovery: Recovery) -> Job:
        """Undo, and look that nothing it made is left at the target."""
        self.recoveries.undo(self.me, recovery.id)
        found, job = self.settled(recovery)
        assert found.state is RecoveryState.UNDONE, job.error
        assert tokens.sweep(self.clouds.open("site2"), recovery.job_id) == []
        assert of_the_application() == []
        return job


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("recovery"))
    for name in ("site1", "site2"):
        made.sites.register(made.me, name, name)
    yield made
    made.jobs.shutdown()


@pytest.fixture(scope="module")
def point(service: Service) -> Iterator[Manifest]:
    """A restore point, full and incremental, of one server with two volumes and two ports."""
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)
    vnf.deploy("site1", NAME, servers=1)
    application = service.applications.create(service.me, NAME, "site1", metadata_tag=f"vnf={NAME}")
    protection = service.protections.create(
        service.me, application.id, target_site="site2", console_mark=vnf.FREEZE_MARK
    )
    for incremental in (False, True):
        job = service.jobs.wait(service.protections.run(service.me, protection.id, incremental), JOB_SECONDS)
        assert job.state == "done", job.error
    yield service.manifests.list().manifests[0]
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)


def of_the_application() -> list[str]:
    """What the target has of the application, but for backup records."""
    named = [thing for thing in vnf.leftovers("site2") if f" {NAME}" in thing]
    return [thing for thing in named if not thing.startswith("backup")]


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


def test_each_obstacle_is_named_and_nothing_is_changed(service: Service, point: Manifest) -> None:
    target = vnf.connect("site2")
    obstacle = target.network.create_network(name=f"{NAME}-data")
    try:
        before = sorted(of_the_application())
        with pytest.raises(Conflict) as caught:
            service.recoveries.start(service.me, point.id, "site2", {}, confirm=NAME)
        assert sorted(of_the_application()) == before
    finally:
        target.network.delete_network(obstacle.id)
    said = str(caught.value)
    assert f"network {NAME}-data: a network of this name is at site2 already: {obstacle.id}" in said
    assert "site1 answers and the application is active there" in said
    if target.compute.find_flavor("t128") is None:  # site 2 has none, unless another recovery made it
        assert "openstack flavor create t128 --vcpus 1 --ram 128 --disk 1" in said


def restoring(service: Service, recovery: Recovery) -> bool:
    steps = service.jobs.get(recovery.job_id).steps
    return any(s.state is StepState.RUNNING and s.detail == "restoring-backup" for s in steps)


def test_a_worker_that_dies_in_the_middle_and_the_work_that_goes_on(
    service: Service, point: Manifest
) -> None:
    recovery = service.start_recovery(point)
    until(lambda: restoring(service, recovery), 300, "a volume is being restored")
    service.crash()
    service.start()
    found, job = service.settled(recovery)
    assert found.state is RecoveryState.DONE, job.error
    assert any("interrupted" in entry.message for entry in job.journal)
    print(f"RTO {found.rto_seconds:.1f} s, RPO {found.rpo_seconds:.1f} s, with a crash in between")
    as_it_was(service, point, found)
    undone_in = time.monotonic()
    service.undone(recovery)
    print(f"undone in {time.monotonic() - undone_in:.1f} s")


def as_it_was(service: Service, point: Manifest, found: Recovery) -> None:
    """One of each, with the source's addresses, MACs, devices and rules, and the data of that moment."""
    target, site = vnf.connect("site2"), service.clouds.open("site2")
    kinds = [thing.kind for thing in tokens.sweep(site, found.job_id) if thing.kind != "flavor"]
    twice = ("volume", "port", "network", "subnet", "security_group")
    assert sorted(kinds) == sorted(["server", "server_group", *twice, *twice])
    (server,) = found.servers
    assert server["devices"] == {v.id: v.device for v in point.volumes}
    assert build.attached_devices(site, server["id"]).keys() == {
        v.id for v in tokens.sweep(site, found.job_id, ("volume",))
    }
    ports = list(target.network.ports(device_id=server["id"]))
    assert {(p.mac_address, p.fixed_ips[0]["ip_address"], p.status) for p in ports} == {
        (p.mac_address, p.fixed_addresses[0].address, "ACTIVE") for p in point.ports
    }
    subnets = list(target.network.subnets(name=f"{NAME}-data"))
    assert [(s.cidr, s.is_dhcp_enabled, s.gateway_ip) for s in subnets] == [("10.10.0.0/24", True, None)]
    for group in point.security_groups:
        (made,) = target.network.security_groups(name=group.name, project_id=service.me.project_id)
        assert len(made.security_group_rules) == len(group.rules)
    row = build.read_server(site, server["id"])
    assert row["key_name"] == NAME
    assert row["metadata"].items() >= point.servers[0].metadata.items()
    proof = vnf.proof("site2", server["id"], timeout=120)
    assert proof.consistent
    assert proof.matches(vnf.marked(point.marks[0].text)), (proof, point.marks)


def test_a_gate_that_is_not_passed_pauses_and_tells_what_the_console_said(
    service: Service, point: Manifest
) -> None:
    # Another volume type: then the volume is made empty first and restored into.
    recovery = service.start_recovery(
        point, ready_console="NEVER-SAID", ready_timeout=45, volume_types={"rbd": "__DEFAULT__"}
    )
    found, job = service.settled(recovery)
    assert found.state is RecoveryState.PAUSED
    assert f"server {NAME}-1 at site2: not ready after 4" in (found.error or "")
    assert "no console line matches 'NEVER-SAID'; last console lines: " in (found.error or "")
    assert job.step("summary").state is StepState.SKIPPED
    items = service.recoveries.preview(service.me, point.id, "site2", {}).items
    assert {i.action for i in items if i.kind == "backup record"} == {"use"}
    service.undone(recovery)


def test_cancelled_while_restoring_it_can_be_undone(service: Service, point: Manifest) -> None:
    recovery = service.start_recovery(point)
    until(lambda: restoring(service, recovery), 300, "a volume is being restored")
    service.jobs.cancel(recovery.job_id, "operator")
    found, _ = service.settled(recovery)
    assert found.state is RecoveryState.PAUSED
    service.undone(recovery)
