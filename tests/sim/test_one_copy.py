"""One copy of an application is the application: a second recovery needs the operator's word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.model import Recovery
from multisite.jobs.model import JobState
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World, make_world
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

THIRD = "site3"


@pytest.fixture
def world() -> Iterator[World]:
    with make_world((SITE, TARGET, THIRD)) as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world) as made:
        yield made


@pytest.fixture
def point(world: World, service: Service) -> str:
    """A restore point of an application whose site is lost."""
    service.deploy("mme", servers=1)
    _, made = service.protect("mme")
    world.lose(SITE)
    return made.id


def active(world: World) -> dict[str, int]:
    """How many servers there are in each site that can be recovered in."""
    return {name: len(world.sites[name].settle().state.servers) for name in (TARGET, THIRD)}


def start(service: Service, point: str, site: str, *, supersede: bool = False) -> Recovery:
    mapping = MAPPING
    shown = service.recoveries.preview(service.caller, point, site, mapping, supersede=supersede)
    started = service.recoveries.start(
        service.caller, point, site, mapping, confirm="mme", supersede=supersede, preview=shown.digest
    )
    assert shown.startable, "what can be started is shown so"
    return started


def test_at_once_into_two_sites(world: World, service: Service, point: str) -> None:
    world.sites[TARGET].strike(Rule("delay", "compute", "POST", "^/servers$", seconds=15))
    first = start(service, point, TARGET)
    with pytest.raises(Conflict, match=f"recovery {first.id} of it in {TARGET} is running"):
        start(service, point, THIRD)
    assert service.rest(first.job_id).state is JobState.DONE
    shown = service.recoveries.preview(service.caller, point, THIRD, MAPPING)
    assert not shown.startable
    assert "--supersede" in shown.problems[0].remedy
    for site in (THIRD, TARGET):
        with pytest.raises(Conflict, match=f"{first.id} of it in {TARGET} is done: its copy is the applic"):
            start(service, point, site)
    assert active(world) == {TARGET: 1, THIRD: 0}


def test_by_the_operators_word(world: World, service: Service, point: str) -> None:
    _, first = service.recover(point)
    world.lose(TARGET)
    second = start(service, point, THIRD, supersede=True)
    assert service.rest(second.job_id).state is JobState.DONE
    assert active(world)[THIRD] == 1
    said = {(r.action, r.site, r.resource_id, r.user) for r in service.audit.list(job=second.job_id)}
    assert ("supersede", TARGET, first.id, "tester") in said
    assert ("confirm", THIRD, point, "tester") in said


def test_the_word_is_recorded_only_when_it_was_needed(service: Service, point: str) -> None:
    """The negative control."""
    only = start(service, point, TARGET, supersede=True)
    service.rest(only.job_id)
    assert "supersede" not in {r.action for r in service.audit.list(job=only.job_id)}


def test_one_that_is_at_work_in_the_same_site_is_in_the_way_all_the_same(
    world: World, service: Service, point: str
) -> None:
    rule = world.sites[TARGET].strike(Rule("error", "compute", "POST", "^/servers$", status=403))
    job, first = service.recover(point)
    assert (job.state, rule.struck) == (JobState.PAUSED, 1)
    for supersede in (False, True):
        with pytest.raises(Conflict, match=f"{first.id} of it in {TARGET} is paused"):
            start(service, point, TARGET, supersede=supersede)
    with pytest.raises(Conflict, match=f"{first.id} of it in {TARGET} is paused"):
        start(service, point, THIRD)
    service.rest(start(service, point, THIRD, supersede=True).job_id)
    assert active(world) == {TARGET: 0, THIRD: 1}


def test_one_that_was_undone_is_in_nobodys_way(world: World, service: Service, point: str) -> None:
    _, first = service.recover(point)
    service.undo(first.id)
    service.rest(start(service, point, THIRD).job_id)
    assert active(world) == {TARGET: 0, THIRD: 1}
