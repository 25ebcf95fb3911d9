"""Drills by a policy over simulated sites, on several days: by the rules of a drill by hand; damage is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from multisite.domain.drill import DrillStatus
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.recovery.policies.service import PolicyService, ScheduleStatus
from multisite_lab.sim.world import World, make_world
from tests.manifest_store import flip_byte
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, STORE, TARGET, Service, running_service

RULES = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world) as made:
        world.store.folder = made.folder / STORE
        yield made


class Days:
    """An application that a policy drills at three in the morning, and a clock that a test moves."""

    def __init__(self, service: Service) -> None:
        self.service, self.moment = service, datetime.now(UTC)
        service.deploy("mme", servers=1, full=False)
        service.protect("mme")
        drills, database = service.recoveries.drills, service.database
        self.policies = PolicyService(database, service.protections, self.clock)
        self.scheduler = PolicyScheduler(
            database, service.protections, service.jobs, self.clock, drills=drills
        )
        self.protection = service.protection("mme")
        owner = service.owner()
        self.policies.create(owner, "gold", drill_cron="0 3 * * *")
        self.protection = self.policies.assign(owner, self.protection.id, {"policy": "gold"})

    def clock(self) -> datetime:
        return self.moment

    def next_day(self) -> ScheduleStatus:
        """The drill that is due then has ended, and was told of."""
        self.moment += timedelta(days=1)
        for _ in range(2):
            self.scheduler.run()
            self.scheduler.settle()
            for job in self.service.jobs.list(settled=False):
                self.service.rest(job.id)
        return self.policies.schedules([self.protection])[self.protection.id]

    def drills(self) -> list[DrillStatus]:
        return self.service.recoveries.drills.list(self.service.caller)


def test_days_of_drills(world: World, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    days = Days(service)
    shown = days.next_day()
    assert (shown.drills, days.drills()) == (0, []), "without rules the target lacks the flavor"
    assert "is tried again" in str(shown.drill_note)
    begun = service.recoveries.drills.start(
        service.caller, service.points()[0].id, TARGET, RULES, {"rto_target": 3600.0}
    )
    service.rest(begun.job_id)
    shown = days.next_day()
    assert (shown.drills, shown.last_drill_result) == (1, "passed"), shown
    newest = days.drills()[0]
    assert (newest.id, newest.result, newest.requested_by) == (shown.last_drill_id, "passed", "tester")
    assert newest.restore_point_id == service.points()[0].id
    assert service.recoveries.get(service.caller, newest.id).mapping == RULES
    assert wrong(world, service) == []
    (chunk, *_) = sorted(world.store.folder.glob("??/??/*/*-00001"))  # type: ignore[union-attr]
    flip_byte(chunk)
    with caplog.at_level(logging.WARNING):
        shown = days.next_day()
    assert (shown.drills, shown.last_drill_result) == (2, "failed")
    (told,) = [r for r in caplog.records if r.getMessage().startswith("drill failed: ")]
    assert chunk.name in told.getMessage()
    assert not world.sites[TARGET].settle().state.servers, "removed all the same"
    days.scheduler.close()
