"""After a disaster and the old site's return: the application is described and protected where it runs, undoably."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.domain.errors import Conflict
from multisite.jobs.model import JobState
from multisite_lab.sim.nova.servers import start, stop
from multisite_lab.sim.world import World
from tests.sim.service import SITE, TARGET, Service


def described(service: Service) -> tuple[Any, ...]:
    """Where the application and its protection are."""
    application, protection = service.application("mme"), service.protection("mme")
    return application.site, application.members, protection.site, protection.target_site


def states(service: Service) -> dict[str, str]:
    return {point.id: point.state.value for point in service.points()}


@pytest.fixture
def recovered(world: World, service: Service) -> str:
    """Id of a recovery whose source site is cut off, with everything in it active."""
    service.deploy("mme", servers=2)
    _, point = service.protect("mme")
    world.cut(SITE)
    job, recovery = service.recover(point.id)
    assert recovery.state == "done", job.error
    return recovery.id


def old(world: World, act: Any, ids: list[str]) -> None:
    sim = world.sites[SITE].sim
    for id in ids:
        act(sim, sim.state.servers[id])


def test_reprotected_protected_and_taken_back(world: World, service: Service, recovered: str) -> None:
    failback, me = service.failback, service.caller
    before = described(service)
    ids = [member.server_id for member in before[1]]
    with pytest.raises(Conflict, match=r"is not known.*--source-is-fenced"):
        failback.reprotect(me, recovered)
    world.reconnect(SITE)
    for word in (False, True):  # the operator's word is not for what is seen
        with pytest.raises(Conflict, match=r"is active.*stop-source"):
            failback.reprotect(me, recovered, source_is_fenced=word)
    assert described(service) == before, "refused: nothing was changed"
    old(world, stop, ids)
    assert failback.reprotect(me, recovered).reprotected_at is not None
    with pytest.raises(Conflict, match="is reprotected already"):
        failback.reprotect(me, recovered)
    site, members, *protection = described(service)
    made = {s["source_id"]: s["id"] for s in service.recoveries.get(me, recovered).servers}
    assert (site, protection) == (TARGET, [TARGET, SITE])
    assert [m.server_id for m in members] == [made[id] for id in ids], "in the boot order"
    (first,) = states(service)
    job, point = service.protect("mme")
    assert job.state is JobState.DONE, job.error
    assert (point.epoch, point.incremental) == (1, False)
    assert states(service) == {point.id: "available", first: "superseded"}
    assert service.manifests.read(point.id).source.name == TARGET
    assert failback.undo_reprotect(me, recovered).reprotected_at is None
    assert described(service) == before
    with pytest.raises(Conflict, match="older copy"):
        service.protect("mme")
    with pytest.raises(Conflict, match="is not reprotected"):
        failback.undo_reprotect(me, recovered)
    failback.reprotect(me, recovered)
    _undone_by_its_job(world, service, recovered, before)


def _undone_by_its_job(world: World, service: Service, recovered: str, before: tuple[Any, ...]) -> None:
    """Whatever verb undoes the recovery, the application is described at the old site again, all or nothing."""
    job_id = service.recoveries.get(service.caller, recovered).job_id
    service.jobs.undo(job_id, "tester")
    assert described(service) == before
    assert service.rest(job_id).state is JobState.UNDONE
    assert service.recoveries.get(service.caller, recovered).reprotected_at is None
    old(world, start, [member.server_id for member in before[1]])
    job, point = service.protect("mme")
    assert (job.state, point.epoch) == (JobState.DONE, 0), "the old copy is the application again"


def test_nobody_reprotects_what_is_not_the_application(
    world: World, service: Service, recovered: str
) -> None:
    failback, me = service.failback, service.caller
    before = described(service)
    changed = failback.reprotect(me, recovered, source_is_fenced=True)
    assert changed.reprotected_at is not None, "a burnt site does not hold it up"
    said = {(r.action, r.site) for r in service.audit.list(job=changed.job_id)}
    assert ("source-is-fenced", SITE) in said
    service.undone(recovered)
    assert described(service) == before
    with pytest.raises(Conflict, match="is undone: only one that is done"):
        failback.reprotect(me, recovered, source_is_fenced=True)
