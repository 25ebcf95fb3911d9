"""The old site comes back with its servers active: the guard tells, once, and what to do; an operator stops them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.old_copy import OldCopyState
from multisite.jobs.model import JobState
from multisite.recovery.epochs import EpochStore
from multisite.recovery.failback import guard
from multisite.recovery.failback.guard import OldCopyGuard
from multisite.store.applications import ApplicationRepository
from multisite_lab.sim.nova.servers import start, stop
from multisite_lab.sim.world import World
from tests.sim.service import SITE, TARGET, Service


@pytest.fixture
def recovered(world: World, service: Service) -> str:
    """Id of a recovery whose source site is cut off, with everything in it active."""
    service.deploy("mme", servers=2)
    _, point = service.protect("mme")
    world.cut(SITE)
    job, recovery = service.recover(point.id)
    assert recovery.state == "done", job.error
    return recovery.id


def active(world: World) -> dict[str, int]:
    """How many servers are active in each site: what a switch between them would see."""
    return {
        name: sum(server.status == "ACTIVE" for server in site.settle().state.servers.values())
        for name, site in world.sites.items()
    }


def look(service: Service) -> Any:
    """By a new guard, as after a restart: its memory is the database."""
    OldCopyGuard(service.database, service.manifests, service.clouds).tick()
    return seen(service)


def seen(service: Service) -> Any:
    application = service.application("mme").id
    return service.failback.old_copies([application]).get(application)


def told(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.levelno for record in caplog.records if record.name == guard.__name__]


def members(service: Service) -> list[str]:
    return [member.server_id for member in service.application("mme").members]


def test_a_revived_application_is_told_of_and_stopped(
    world: World, service: Service, recovered: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, guard.__name__)
    assert look(service).state is OldCopyState.UNKNOWN, "a site that is away"
    assert told(caplog) == [], "nothing has come back"
    with pytest.raises(Conflict, match="which servers of the old copy are active is not known"):
        service.failback.stop_source(service.caller, recovered, "mme")
    world.reconnect(SITE)
    assert active(world) == {SITE: 2, TARGET: 2}
    assert seen(service).state == "unknown", "without a look of the guard nobody knows: the negative control"
    look(service)
    found = look(service)
    (finding,) = found.findings
    assert (found.state, finding.site, found.recovery_id) == ("active", SITE, recovered)
    assert f"openstack multisite recovery stop-source {recovered} --yes-stop mme" in finding.remedy
    assert f"openstack server stop {' '.join(reversed(members(service)))}" in finding.remedy
    assert told(caplog) == [logging.WARNING], "once, also after a restart"
    assert active(world) == {SITE: 2, TARGET: 2}, "told of, never powered off unasked"
    other = service.deploy("other", servers=1).servers[0]
    job = _stopped_in_order(world, service, recovered)
    assert world.sites[SITE].sim.state.servers[other].status == "ACTIVE", "not one of the old copy"
    found = seen(service)
    assert (found.state, found.findings) == ("off", ()), "looked at when the job has ended"
    assert [event.state for event in found.events] == ["unknown", "active", "off"]
    assert told(caplog) == [logging.WARNING, logging.INFO]
    with pytest.raises(Conflict, match="is off or gone already"):
        service.failback.stop_source(service.caller, recovered, "mme")
    _undone_when_it_may_be(world, service, recovered, job)


def _stopped_in_order(world: World, service: Service, recovered: str) -> str:
    before = len(world.sites[SITE].script.log)
    job_id, _ = service.failback.stop_source(service.caller, recovered, "mme")
    assert service.rest(job_id).state is JobState.DONE
    stops = [one.subject for one in world.sites[SITE].script.log[before:] if "os-stop" in one.path]
    assert stops == members(service)[::-1], "the last booted first"
    assert active(world) == {SITE: 1, TARGET: 2}
    return job_id


def _undone_when_it_may_be(world: World, service: Service, recovered: str, job_id: str) -> None:
    """The old copy is started again once it is the application again, and the other is gone."""
    with pytest.raises(Conflict, match=f"is the application.*recovery undo {recovered}"):
        service.jobs.undo(job_id, "tester")
    assert active(world) == {SITE: 1, TARGET: 2}, "never two active copies"
    service.undone(recovered)
    service.jobs.undo(job_id, "tester")
    assert service.rest(job_id).state is JobState.UNDONE
    assert active(world) == {SITE: 3, TARGET: 0}
    assert look(service) is None, "it is no old copy any more"


def test_by_ids_not_by_names(world: World, service: Service, recovered: str) -> None:
    """The negative control: servers of the same names are not the old copy.  One list; what is gone is asked once."""
    world.reconnect(SITE)
    sim, log = world.sites[SITE].sim, world.sites[SITE].script.log
    first, second = (sim.state.servers[id] for id in members(service))
    for server in (first, second):
        stop(sim, server)
    assert look(service).state == "off"
    start(sim, second)
    found = look(service)
    assert found.state == "active"
    assert first.id not in found.findings[0].remedy
    counted = []
    for _ in range(3):
        before = len(log)
        found = look(service)
        counted.append(len(log) - before)
        for server in (first, second):
            sim.state.servers.pop(server.id, None)
        same = sim.state.servers.setdefault("another", second)
        same.id = "another"
    assert counted == [1, 3, 0]
    assert (found.state, {server.status for server in found.servers}) == ("off", {"gone"})


def test_only_what_is_old_and_the_projects_own_is_stopped(
    world: World, service: Service, recovered: str
) -> None:
    world.reconnect(SITE)
    with pytest.raises(Invalid, match="confirm: 'other' is not the application's name"):
        service.failback.stop_source(service.caller, recovered, "other")
    first = world.sites[SITE].sim.state.servers[members(service)[0]]
    ours, first.project_id = first.project_id, "another"
    job = service.rest(service.failback.stop_source(service.caller, recovered, "mme")[0])
    assert job.state is JobState.PAUSED
    assert "is of project another, not" in str(job.error)
    first.project_id = ours
    assert active(world)[SITE] == 2
    # The fence: the recovery is undone between the order and its steps.
    epochs = EpochStore(service.manifests, ApplicationRepository(service.database))
    epochs.withdraw(service.application("mme").id, recovered)
    service.jobs.resume(job.id, "tester")
    job = service.rest(job.id)
    assert job.state is JobState.PAUSED
    assert "is not the copy of recovery" in str(job.error)
    assert active(world)[SITE] == 2
    with pytest.raises(Conflict, match="no recovery has made the copy"):
        service.failback.stop_source(service.caller, recovered, "mme")
