"""From A to B by a disaster, and back to A: committed, the old copy removed, and never two active copies."""

from __future__ import annotations

import re

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.jobs.model import JobState
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.nova.servers import start
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, state_of


def recovered(world: World, service: Service) -> str:
    """Id of a recovery; the source site was cut off, and is back, with another application in it."""
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    world.cut(SITE)
    job, recovery = service.recover(point.id)
    assert recovery.state == "done", job.error
    world.reconnect(SITE)
    return recovery.id


def names(world: World, site: str) -> set[str]:
    """Of servers and volumes."""
    state = state_of(world, site)
    return {s.name for s in state.servers.values()} | {v.name for v in state.volumes.values()}


def test_there_and_back_again(world: World, service: Service) -> None:
    failback, me = service.failback, service.caller
    first = recovered(world, service)
    other = service.deploy("other", servers=1)
    before = service.application("mme").members
    with pytest.raises(Conflict, match="is active"):
        failback.commit(me, first)
    service.rest(failback.stop_source(me, first, "mme")[0])
    failback.reprotect(me, first)
    job, back = service.protect("mme")
    assert job.state is JobState.DONE, job.error
    assert wrong(world, service) == []
    manifest = service.manifests.read(back.id)
    assert {group.name for group in manifest.server_groups} == {"mme"}, "names do not grow with each way back"
    assert not any("src_backup_id" in volume.metadata for volume in manifest.volumes)
    _removed(world, service, first)
    assert names(world, SITE) == {"other-1", "other-1-root", "other-1-data"}
    assert state_of(world, SITE).servers[other.servers[0]].status == "ACTIVE"
    _undone_no_more(service, first)
    world.cut(TARGET)
    _back(service, back.id)
    servers = [s for s in state_of(world, SITE).servers.values() if s.name == "mme-1"]
    assert [s.status for s in servers] == ["ACTIVE"]
    application, protection = service.application("mme"), service.protection("mme")
    assert (application.site, application.epoch) == (SITE, 2)
    assert (protection.site, protection.target_site) == (SITE, TARGET)
    assert [m.server_id for m in application.members] == [s.id for s in servers]
    assert {m.server_id for m in before}.isdisjoint(s.id for s in servers)
    job, point = service.protect("mme")
    assert (job.state, point.epoch) == (JobState.DONE, 2), job.error
    world.reconnect(TARGET)
    (found,) = failback.guard.look([application.id]).values()
    assert (found.state, found.target_site) == ("active", SITE), "now the copy in B is the old one"


def _removed(world: World, service: Service, first: str) -> None:
    failback, me = service.failback, service.caller
    shown = failback.preview_commit(me, first)
    assert shown.removable, shown.problems
    assert {(i.kind, i.name) for i in shown.items if i.action == "delete"} >= {
        ("server", "mme-1"), ("volume", "mme-1-root"), ("volume", "mme-1-data")
    }  # fmt: skip
    with pytest.raises(Invalid, match="confirm: None is not the application's name"):
        failback.commit(me, first, remove_source=True)
    assert "mme-1" in names(world, SITE), "shown, and nothing was done"
    assert service.recoveries.get(me, first).committed_at is None
    job_id, committed = failback.commit(me, first, remove_source=True, confirm="mme")
    assert committed.committed_at is not None
    assert service.rest(str(job_id)).state is JobState.DONE, service.jobs.get(str(job_id)).error
    with pytest.raises(Conflict, match="does not come back"):
        service.jobs.undo(str(job_id), "tester")


def _undone_no_more(service: Service, first: str) -> None:
    me, job_id = service.caller, service.recoveries.get(service.caller, first).job_id
    for undo in (
        lambda: service.recoveries.undo(me, first),
        lambda: service.jobs.undo(job_id, "tester"),
        lambda: service.failback.undo_reprotect(me, first),
    ):
        with pytest.raises(Conflict, match=r"is committed since .*reprotect, protection run"):
            undo()
    assert service.recoveries.get(me, first).state == "done"


def _back(service: Service, point: str) -> None:
    """What stayed in the old site is mapped to itself, as the preview says."""
    mapping = {**MAPPING, "networks": {}}
    for _ in range(4):
        shown = service.recoveries.preview(service.caller, point, SITE, mapping)
        for found in shown.problems:
            for kind, source, target in re.findall(r"--map ([a-z-]+):([^\s=,;]+)=([^\s,;)]+)", found.remedy)[
                :1
            ]:
                mapping.setdefault(f"{kind.replace('-', '_')}s", {})[source] = target
    assert shown.startable, [str(found) for found in shown.problems]
    started = service.recoveries.start(service.caller, point, SITE, mapping, confirm="mme")
    job = service.rest(started.job_id)
    assert job.state is JobState.DONE, job.error
    service.failback.reprotect(service.caller, started.id, source_is_fenced=True)


def test_what_a_short_list_does_not_show_is_not_taken_for_gone(world: World, service: Service) -> None:
    failback, me = service.failback, service.caller
    first = recovered(world, service)
    service.rest(failback.stop_source(me, first, "mme")[0])
    named = {(i.kind, i.name) for i in failback.preview_commit(me, first).items if i.action == "delete"}
    for kind, path in (("network", "^/ports$"), ("volume", "^/volumes/detail$"), ("network", "^/trunks$")):
        world.sites[SITE].strike(Rule("partial", kind, "GET", path))
    shown = failback.preview_commit(me, first)
    assert {(i.kind, i.name) for i in shown.items if i.action == "delete"} == named
    assert {kind for kind, _ in named} == {"server", "volume", "port", "trunk"}
    (one, *_) = service.manifests.read(service.recoveries.get(me, first).restore_point_id).volumes
    del state_of(world, SITE).volumes[one.id]
    shown = failback.preview_commit(me, first)
    assert [i.name for i in shown.items if i.action == "gone"] == [one.name], "the negative control"


def test_what_was_started_again_is_not_removed(world: World, service: Service) -> None:
    """The negative control: between the preview and the step somebody starts the server."""
    failback, me = service.failback, service.caller
    first = recovered(world, service)
    service.rest(failback.stop_source(me, first, "mme")[0])
    sim, begun = world.sites[SITE].sim, failback._commit._begin
    (member,) = service.application("mme").members

    def begin(*args: object) -> str:
        start(sim, sim.state.servers[member.server_id])
        return begun(*args)  # type: ignore[arg-type]

    failback._commit._begin = begin  # type: ignore[method-assign]
    job_id, _ = failback.commit(me, first, remove_source=True, confirm="mme")
    job = service.rest(str(job_id))
    assert job.state is JobState.PAUSED
    assert "somebody has started it since" in str(job.error)
    assert {"mme-1", "mme-1-root", "mme-1-data"} <= names(world, SITE)
