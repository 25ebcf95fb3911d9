"""A flavor that a recovery makes has its own description in the end, and is found by its token all the same."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.jobs.model import JobState
from multisite.recovery.recover import job as recover_job
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import SITE, TARGET, Service


def flavors(world: World) -> list[dict[str, Any]]:
    rows = world.sites[TARGET].settle().state.flavors.values()
    return [row for row in rows if row["name"].startswith("mme")]


def lost(world: World, service: Service) -> str:
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    assert service.manifests.read(point.id).notes == ()
    world.lose(SITE)
    return point.id


def test_it_is_put_back_and_an_undo_still_finds_the_flavor(world: World, service: Service) -> None:
    """The answers to both requests that do it are lost, too."""
    point, target = lost(world, service), world.sites[TARGET]
    rules = [
        target.strike(Rule("lost", "compute", "PUT", "^/flavors/[^/]+$")),
        target.strike(Rule("lost", "compute", "POST", "/os-extra_specs$", nth=2)),
    ]
    job, recovery = service.recover(point)
    assert job.state is JobState.DONE, job.error
    assert [rule.struck for rule in rules] == [1, 1]
    (row,) = flavors(world)
    assert row["description"] == "for the guests of mme"
    assert set(row["extra_specs"]) - {"hw:cpu_policy"} == {f"multisite:{job.id}:flavor-1"}
    (server,) = target.sim.state.servers.values()
    assert server.flavor["extra_specs"] == {"hw:cpu_policy": "dedicated"}, "it booted before"
    assert wrong(world, service) == []
    job, _ = service.undo(recovery.id)
    assert job.state is JobState.UNDONE, job.undo_error
    assert flavors(world) == []


def test_a_description_that_is_dropped_is_seen(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    point = lost(world, service)
    monkeypatch.setattr(recover_job, "_described", lambda _plan: [])
    job, _ = service.recover(point)
    assert job.state is JobState.DONE, job.error
    (line,) = wrong(world, service)
    assert "/flavor/description: 'for the guests of mme' is not ''" in line
