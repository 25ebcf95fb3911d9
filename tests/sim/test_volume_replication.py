"""The method volume-replication over simulated sites whose storages replicate: protect, lose, promote, manage, undo."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from multisite.clouds.managed import image_name
from multisite.clouds.mirror.backend import MirrorMode
from multisite.domain.errors import Conflict
from multisite.domain.findings import Severity
from multisite.domain.model import Purpose, Recovery, RestorePoint
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.methods.volume_replication import copies, run
from multisite.recovery.methods.volume_replication.payload import copy_of
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import Deployed
from tests.sim.mirror import SimulatedMirror, simulated_mirrors
from tests.sim.outcome import compare_data
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

METHOD = "volume-replication"
MODES = [MirrorMode.SNAPSHOT, MirrorMode.JOURNAL]


@dataclass
class Replicated:
    world: World
    service: Service
    made: Deployed
    here: SimulatedMirror
    there: SimulatedMirror

    def protect(self, **options: Any) -> tuple[Job, RestorePoint]:
        wanted = {"freeze_timeout": 30} | options
        service = self.service
        protection = service.protections.create(
            service.caller, "mme", METHOD, target_site=TARGET, options=wanted
        )
        job = service.rest(service.protections.run(service.caller, protection.id))
        point = next(one for one in service.points() if one.job_id == job.id)
        return job, point

    def protected(self, **options: Any) -> RestorePoint:
        job, point = self.protect(**options)
        assert job.state is JobState.DONE, job.error
        return point

    def blocking(self, point: RestorePoint, **mapping: Any) -> dict[str, str]:
        """Subject -> what is wrong and the remedy."""
        shown = self.service.recoveries.preview(self.service.caller, point.id, TARGET, MAPPING | mapping)
        return {f.kind: f"{f.what} ({f.remedy})" for f in shown.problems if f.severity is Severity.BLOCKING}

    def recovered(self, point: RestorePoint, **mapping: Any) -> Recovery:
        job, recovery = self.service.recover(point.id, **mapping)
        assert job.state is JobState.DONE, job.error
        return recovery

    def primaries(self) -> tuple[set[bool], set[bool]]:
        """Whether images are primary: here, there."""
        return {i.primary for i in self.here.images.values()}, {i.primary for i in self.there.images.values()}

    def data(self, point: RestorePoint) -> set[str]:
        sim = self.world.sites[TARGET].settle()
        return set(compare_data(sim, self.service.manifests.read(point.id)).values())

    def wrong(self) -> list[str]:
        """Snapshots of restore points that are there are meant to be."""
        kept = {copy_of(v).snapshot_id for m in self.service.manifests.list().manifests for v in m.volumes}
        found = self.world.problems(self.service.owners(), self.service.owners())
        return [problem for problem in found if not any(id in problem for id in kept)]


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replicated]:
    monkeypatch.setattr(run, "POLL", 0.05)
    monkeypatch.setattr(copies, "POLL", 0.05)
    with make_world() as world:
        mirrors = simulated_mirrors(world)
        folder = tmp_path_factory.mktemp("replication")
        with running_service(folder, world, mirrors=mirrors) as service:
            yield Replicated(world, service, service.deploy("mme"), mirrors[SITE], mirrors[TARGET])


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_site_is_recovered_from_copies_undone_and_recovered_again(
    app: Replicated, mode: MirrorMode
) -> None:
    point = app.protected(mirror_mode=mode)
    assert app.wrong() == []
    assert app.primaries() == ({True}, {False})
    app.world.lose(SITE)
    assert app.blocking(point) == {}
    recovery = app.recovered(point)
    assert app.data(point) == {"consistent, no mark"}
    assert app.primaries()[1] == {True}
    target = app.world.sites[TARGET].settle().state
    assert {v.global_id for v in target.volumes.values()} == set(app.there.images)
    assert target.stored == {}
    job, _ = app.service.undo(recovery.id)
    assert job.state is JobState.UNDONE, job.error
    # Cinder has forgotten them, the storage has not: nobody deletes the only copy.
    assert target.volumes == {}
    assert {image.global_id for image in target.stored.values()} == set(app.there.images)
    app.recovered(point)
    assert app.data(point) == {"consistent, no mark"}
    assert app.wrong() == []


def test_volumes_stay_with_the_copies_when_their_servers_are_deleted(app: Replicated) -> None:
    """Nova would delete the only copy with the server."""
    source = app.world.sites[SITE].settle().state
    for server in source.servers.values():
        for disk in server.disks:
            disk.delete_on_termination = True
    point = app.protected()
    app.world.lose(SITE)
    recovery = app.recovered(point)
    app.service.undo(recovery.id)
    stored = app.world.sites[TARGET].settle().state.stored
    assert {image.global_id for image in stored.values()} == set(app.there.images)


def test_a_copy_that_is_not_complete_is_refused_until_the_loss_is_named(app: Replicated) -> None:
    point = app.protected()
    manifest = app.service.manifests.read(point.id)
    behind = manifest.volumes[0]
    app.there.stopped = True
    app.there.images[copy_of(behind).global_id].received = 0
    app.world.lose(SITE)
    found = app.blocking(point)
    assert set(found) == {f"volume {behind.name or behind.id}"}
    assert f"--accept-loss replication:{behind.name or behind.id}" in next(iter(found.values()))
    with pytest.raises(Conflict):
        app.service.recover(point.id)
    assert app.primaries()[1] == {False}, "nothing was promoted"
    loss = [f"replication:{behind.name or behind.id}"]
    assert app.blocking(point, accept_loss=loss) == {}
    app.recovered(point, accept_loss=loss)


def test_one_image_has_more_than_the_point_and_all_show_the_point(app: Replicated) -> None:
    """The daemon dies when one image of the next point has come: every volume shows the point before."""
    point = app.protected()
    volumes = app.service.manifests.read(point.id).volumes
    late = {copy_of(v).image for v in volumes[1:]}
    app.there.late |= late
    job_id = app.service.protections.run(
        app.service.caller, app.service.protections.list(app.service.caller)[0].id
    )
    first, second = (copy_of(v) for v in volumes[:2])
    while app.there.images[first.global_id].received == first.number:
        time.sleep(0.01)
        app.there.names()
    app.there.stopped = True
    assert app.there.images[second.global_id].received == second.number
    app.service.jobs.cancel(job_id, by="tester")
    assert app.service.rest(job_id).state is JobState.UNDONE
    app.world.lose(SITE)
    assert app.blocking(point) == {}
    app.recovered(point)
    assert app.data(point) == {"consistent, no mark"}


@pytest.mark.parametrize("mode", MODES)
def test_a_source_that_answers_steps_down_first_and_is_primary_again_after_an_undo(
    app: Replicated, mode: MirrorMode
) -> None:
    point = app.protected(mirror_mode=mode)
    recovery = app.recovered(point)
    assert app.primaries() == ({False}, {True})
    assert not any(image.forced for image in app.there.images.values())
    job, _ = app.service.undo(recovery.id)
    assert job.state is JobState.UNDONE, job.error
    assert app.primaries() == ({True}, {False})
    source = app.world.sites[SITE].settle().state
    assert {image_name(v.id) for v in source.volumes.values()} >= set(app.here.names().values())


def test_a_copy_that_somebody_else_has_promoted_is_not_touched(app: Replicated) -> None:
    point = app.protected()
    app.world.lose(SITE)
    for name in app.there.names().values():
        app.there.promote(name, force=True)
    found = app.blocking(point)
    assert len(found) == len(app.service.manifests.read(point.id).volumes)
    assert all("Multisite did not make it so" in text for text in found.values())


def test_a_drill_would_promote_and_is_refused(app: Replicated) -> None:
    point = app.protected()
    caller = app.service.caller
    shown = app.service.recoveries.preview(caller, point.id, TARGET, MAPPING, purpose=Purpose.DRILL)
    assert any("a drill would promote" in f.what for f in shown.problems if f.severity is Severity.BLOCKING)
    assert app.primaries() == ({True}, {False})


def test_without_a_storage_it_is_said_where_to_name_it(app: Replicated) -> None:
    del app.service.clouds.mirrors[TARGET]  # type: ignore[attr-defined]
    with pytest.raises(Conflict, match=r"site2: replication: .*\[replication\] backends"):
        app.protect()


def test_a_deleted_restore_point_leaves_no_snapshot_here_or_there(app: Replicated) -> None:
    point = app.protected()
    job_id = app.service.protections.delete_restore_point(app.service.caller, point.id)
    assert job_id is not None
    assert app.service.rest(job_id).state is JobState.DONE
    assert app.world.sites[SITE].settle().state.snapshots == {}
    app.there.names()
    assert all(not image.snapshots for image in app.there.images.values())
