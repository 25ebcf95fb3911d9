"""A restore point is held while a recovery needs it: neither deleted, nor taken back with the run that made it."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import Recovery
from multisite.jobs.model import JobState
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.service import MAPPING, SITE, TARGET, Service


@pytest.fixture
def points(service: Service) -> tuple[str, str]:
    """A full restore point and an incremental one that builds on it."""
    service.deploy("mme", servers=1)
    (_, full), (_, incremental) = service.protect("mme"), service.protect("mme")
    assert incremental.parent_id == full.id
    return full.id, incremental.id


def paused(world: World, service: Service, point: str) -> Recovery:
    rule = Rule("error", "compute", "POST", "^/servers$", times=99, status=403)
    world.sites[TARGET].strike(rule)
    job, recovery = service.recover(point)
    assert job.state is JobState.PAUSED, job.error
    world.sites[TARGET].script.clear()
    return recovery


def test_a_point_that_is_being_recovered_is_not_deleted(
    world: World, service: Service, points: tuple[str, str]
) -> None:
    full, incremental = points
    recovery = paused(world, service, incremental)
    for point in (incremental, full):
        with pytest.raises(Conflict, match=f"{point} is needed by recovery {recovery.id} .* is paused"):
            service.protections.delete_restore_point(service.caller, point)
    _, recovery = service.resume(recovery.id)
    assert recovery.state == "done", "and so the recovery comes to its end"
    job_id = service.protections.delete_restore_point(service.caller, incremental)
    assert service.rest(str(job_id)).state is JobState.DONE


def test_one_whose_recovery_was_undone_is(world: World, service: Service, points: tuple[str, str]) -> None:
    """The negative control."""
    recovery = paused(world, service, points[1])
    service.undo(recovery.id)
    job_id = service.protections.delete_restore_point(service.caller, points[1])
    assert service.rest(str(job_id)).state is JobState.DONE


def test_the_run_that_made_it_is_not_undone(world: World, service: Service, points: tuple[str, str]) -> None:
    recovery = paused(world, service, points[1])
    run = next(p.job_id for p in service.points() if p.id == points[1])
    service.jobs.undo(str(run), "tester")
    job = service.rest(str(run))
    assert job.state is JobState.UNDO_FAILED
    assert f"needed by recovery {recovery.id}" in (job.error or "") + str(job.steps)
    _, recovery = service.resume(recovery.id)
    assert recovery.state == "done"


def test_what_is_being_deleted_is_not_recovered(
    world: World, service: Service, points: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the deletion begins after the manifest was read for the last time."""
    preview = service.recoveries.preview(service.caller, points[1], TARGET, MAPPING).digest
    manifest = service.manifests.read(points[1])
    world.sites[SITE].strike(Rule("error", "volume", "DELETE", "^/backups/", times=99, status=403))
    job = service.rest(str(service.protections.delete_restore_point(service.caller, points[1])))
    assert job.state is JobState.PAUSED
    with pytest.raises(NotFound):
        service.recoveries.start(service.caller, points[1], TARGET, MAPPING, confirm="mme", preview=preview)
    monkeypatch.setattr(service.manifests, "read", lambda _id: manifest)
    with pytest.raises(Conflict, match=f"is being deleted: job {job.id}"):
        service.recoveries.start(service.caller, points[1], TARGET, MAPPING, confirm="mme", preview=preview)
    assert service.recoveries.list(service.caller) == []
