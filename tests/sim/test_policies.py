"""A policy carried out over simulated sites: real runs when due, and what it does not keep is really deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from multisite.domain.model import RestorePointState
from multisite.jobs.model import JobState
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.policies import scheduler
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.recovery.policies.service import PolicyService
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import SITE, TARGET, Service


class Flow:
    """The service, its policies, and a clock that a test moves."""

    def __init__(self, service: Service) -> None:
        self.service, self.moment = service, datetime.now(UTC)
        self.policies = PolicyService(service.database, service.protections, self.clock)
        self.scheduler = PolicyScheduler(service.database, service.protections, service.jobs, self.clock)
        self.owner = service.owner()

    def clock(self) -> datetime:
        return self.moment

    def look(self, **later: float) -> None:
        """So much later; what was begun comes to rest."""
        self.moment += timedelta(**later)
        self.scheduler.run()
        self.scheduler.settle()
        for job in self.service.jobs.list(settled=False):
            self.service.rest(job.id)


def test_runs_and_deletions_by_a_policy(world: World, service: Service) -> None:
    flow = Flow(service)
    service.deploy("mme", servers=1)
    protection = service.protection("mme", full_every=2)
    made = flow.policies.create(
        flow.owner, "gold", schedules=[{"interval_seconds": 3600}], retention={"last": 1}
    )
    flow.policies.assign(flow.owner, protection.id, {"policy": made.name})
    flow.look()
    for _ in range(3):
        flow.look(hours=1)
    points = service.points()
    runs = [job for job in service.jobs.list() if job.kind == "protect"]
    assert [job.state for job in runs] == [JobState.DONE] * 4
    assert all(job.title.endswith(", by policy gold") and job.requested_by == "tester" for job in runs)
    assert wrong(world, service) == []
    for _ in range(4):
        flow.look(seconds=scheduler.BUSY + 1)
    deleted = [job for job in service.jobs.list() if job.kind == "delete-restore-point"]
    assert [job.state for job in deleted] == [JobState.DONE] * 2
    assert all(job.title.endswith(", which policy gold does not keep") for job in deleted)
    left = service.points()
    assert [point.id for point in left] == [point.id for point in points[:2]], (
        "a full one and what builds on it"
    )
    assert {point.state for point in left} == {RestorePointState.AVAILABLE}
    backups = {
        link.id for point in left for v in service.manifests.read(point.id).volumes for link in chain_of(v)
    }
    assert set(world.sites[SITE].settle().state.backups) == backups, "their data, and nothing else"
    assert wrong(world, service) == []
    flow.scheduler.close()


def test_what_is_kept_is_recovered_from(world: World, service: Service) -> None:
    flow = Flow(service)
    service.deploy("mme", servers=1)
    protection = service.protection("mme", full_every=3)
    made = flow.policies.create(
        flow.owner, "gold", schedules=[{"interval_seconds": 3600}], retention={"last": 1}
    )
    flow.policies.assign(flow.owner, protection.id, {"policy": made.name})
    flow.look()
    for _ in range(5):
        flow.look(hours=1)
    for _ in range(3):
        flow.look(seconds=scheduler.BUSY + 1)
    point = service.points()[0]
    world.lose(SITE)
    job, _ = service.recover(point.id, TARGET)
    assert job.state is JobState.DONE, job.error
    assert wrong(world, service) == []
    flow.scheduler.close()
