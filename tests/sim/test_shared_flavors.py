"""Two recoveries, one flavor: it stays when the recovery that made it is undone before the other's servers boot."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.jobs.model import JobState
from multisite.recovery.recover import plan as recover_plan
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import SITE, TARGET, Service

NAME = "t128"


def flavors(world: World) -> list[dict[str, Any]]:
    return [row for row in world.sites[TARGET].settle().state.flavors.values() if row["name"] == NAME]


def maker_undone_before_the_other_boots(world: World, service: Service) -> tuple[str, str]:
    """Ids of the other recovery and of its job, which waits to be resumed."""
    points = []
    for name in ("mme", "amf"):
        service.deploy(name, servers=1, full=False)
        points.append(service.protect(name)[1].id)
    world.lose(SITE)
    job, maker = service.recover(points[0])
    assert job.state is JobState.DONE, job.error
    rule = world.sites[TARGET].strike(Rule("error", "compute", "POST", "^/servers$", status=400))
    job, other = service.recover(points[1])
    assert (job.state, rule.struck) == (JobState.PAUSED, 1), job.error
    undone, _ = service.undo(maker.id)
    assert undone.state is JobState.UNDONE, undone.error
    return other.id, job.id


def test_it_goes_with_the_last_of_them(world: World, service: Service) -> None:
    other, job_id = maker_undone_before_the_other_boots(world, service)
    (row,) = flavors(world)
    assert {key for key in row["extra_specs"] if key.startswith("multisite:")} == {
        f"multisite:{job_id}:flavor-1"
    }
    job, _ = service.resume(other)
    assert job.state is JobState.DONE, job.error
    assert wrong(world, service) == []
    job, _ = service.undo(other)
    assert job.state is JobState.UNDONE, job.error
    assert flavors(world) == []


def test_one_that_is_not_held_is_missed_by_the_boot(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(recover_plan, "held_flavors", lambda _draft, _flavors: ())
    other, _ = maker_undone_before_the_other_boots(world, service)
    assert flavors(world) == []
    job, _ = service.resume(other)
    assert job.state is JobState.PAUSED
    assert "Flavor" in (job.error or "")
