"""Warm standby over simulated sites: what is refused, goes, fails or is away, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.model import Protection
from multisite.domain.standby import StandbyState, StandbyWord
from multisite.jobs.model import JobState
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, state_of
from tests.sim.standby import Kept, promoted, reasons, restored, restores


@pytest.fixture
def kept(service: Service, world: World) -> Kept:
    return Kept(service, world)


def test_older_points_go_when_newer_ones_are_ready(kept: Kept, world: World, service: Service) -> None:
    kept.keep(2)
    points = [kept.point()]
    for count in (1, 2, 2, 2):
        shown = kept.look(4)
        assert shown.state is StandbyWord.READY
        assert [p.restore_point_id for p in shown.points] == points[::-1][:2]
        assert (shown.ready, len(kept.kept())) == (count, count * kept.volumes)
        points.append(kept.point())
    assert kept.status().state is StandbyWord.BEHIND, "the newest one is not restored yet"
    assert wrong(world, service) == []


def test_one_that_is_gone_or_changed_is_not_taken_and_restored_anew(world: World, service: Service) -> None:
    kept = Kept(service, world, servers=2)
    point = kept.point()
    kept.look()
    first, second, third, *_ = sorted(kept.kept().values(), key=lambda v: v.id)
    sim = kept.world.sites[TARGET].settle()
    del sim.state.volumes[first.id]
    second.metadata = {**second.metadata, "multisite_token": "multisite:another:volume-1"}
    third.updated_at = sim.now + 1
    preview = kept.preview(point)
    assert (len(promoted(preview)), len(restored(preview))) == (kept.volumes - 3, 3)
    assert preview.startable
    said = reasons(preview)
    assert f"{first.id} is gone" in said
    assert f"{second.id} is not marked as of this restore point" in said
    assert f"{third.id} was attached or changed since it was restored" in said
    sim.state.volumes.pop(second.id)
    shown = kept.look(3)
    assert shown.state is StandbyWord.READY, shown
    assert len(promoted(kept.preview(point))) == kept.volumes
    assert set(kept.kept()).isdisjoint({first.id, second.id, third.id})
    assert service.jobs.list()[-1].state is not JobState.PAUSED


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": "error"}, "is error"),
        ({"volume_type": "__DEFAULT__"}, "has the type __DEFAULT__, not rbd"),
        ({"project_id": "another"}, "is in another project"),
        ({"size": 9}, "has 9 GiB"),
    ],
)
def test_what_is_not_as_it_should_be_is_told(kept: Kept, change: dict[str, Any], told: str) -> None:
    point = kept.point()
    kept.look()
    volume = next(iter(kept.kept().values()))
    for name, value in change.items():
        setattr(volume, name, value)
    preview = kept.preview(point)
    assert f"{volume.id} {told}" in reasons(preview), reasons(preview)
    assert len(restored(preview)) == 1


def test_one_that_goes_after_the_start_is_restored_in_its_place(
    kept: Kept, world: World, service: Service
) -> None:
    point = kept.point()
    kept.look()
    volume = next(iter(kept.kept().values()))
    begun = service.recoveries.start
    sim = world.sites[TARGET]

    def gone() -> None:
        sim.settle().state.volumes.pop(volume.id, None)

    # Between the decision and its steps: the first request for a server group, port or network comes later.
    claim = service.recoveries._standbys.claim

    def claimed(id: str, recovery_id: str) -> None:
        claim(id, recovery_id)
        gone()

    service.recoveries._standbys.claim = claimed  # type: ignore[method-assign]
    world.lose(SITE)
    recovery = begun(service.caller, point, TARGET, MAPPING, confirm="mme")
    job = service.rest(recovery.job_id)
    assert job.state is JobState.DONE, job.error
    assert [
        e.message
        for e in job.journal
        if f"standby volume {volume.id}" in e.message and "is gone" in e.message
    ]
    assert restores(world) == kept.volumes + 1
    assert wrong(world, service) == []
    kept.look()
    assert len(state_of(world).volumes) == kept.volumes


def test_a_drill_leaves_it_alone(kept: Kept, service: Service) -> None:
    point = kept.point()
    kept.look()
    before = set(kept.kept())
    begun = service.recoveries.drills.start(service.caller, point, TARGET, MAPPING, {"verify": "none"})
    job = service.rest(begun.job_id)
    assert (job.state, job.error) == (JobState.UNDONE, None)
    assert (set(kept.kept()), kept.status().state) == (before, StandbyWord.READY)


def test_nothing_is_kept_of_what_is_not_wanted_any_more(kept: Kept, world: World, service: Service) -> None:
    point = kept.point()
    kept.look()
    service.protections.delete_restore_point(service.caller, point)
    kept.look(3)
    assert (kept.rows.list(), kept.there()) == ([], {}), "the restore point was deleted"
    kept.point()
    kept.look()
    kept.keep(0)
    assert kept.status().state is StandbyWord.REMOVING
    kept.look()
    assert (kept.status().state, kept.there()) == (StandbyWord.OFF, {})
    kept.keep(1)
    kept.look()
    service.protections.delete(service.caller, kept.protection.id)
    assert kept.kept()
    kept.standby.run()
    kept.standby.settle(600)
    for job in service.jobs.list(settled=False):
        service.rest(job.id)
    assert (kept.rows.list(), kept.there()) == ([], {}), "the protection was forgotten"
    assert wrong(world, service) == []


def test_a_target_that_is_away_is_told_and_tried_again(kept: Kept, world: World, service: Service) -> None:
    kept.point()
    world.cut(TARGET)
    shown = kept.look(1)
    assert shown.state is StandbyWord.NONE
    assert "cannot be restored at site2, and is tried again" in str(shown.note)
    world.reconnect(TARGET)
    assert kept.look(1, seconds=1.0).ready == 0, "not before its time"
    assert kept.look().state is StandbyWord.READY
    world.cut(TARGET)
    assert "whether the volumes at site2 are still there is not known" in str(kept.look(1).note)
    kept.keep(0)
    shown = kept.look(1)
    assert (shown.state, shown.points[0].state) == (StandbyWord.REMOVING, StandbyState.LEFT)
    assert shown.note, "what is left is told"
    world.reconnect(TARGET)
    assert kept.look().state is StandbyWord.OFF
    assert kept.there() == {}
    assert wrong(world, service) == []


def test_a_restore_that_fails_leaves_nothing_and_is_tried_again(
    kept: Kept, world: World, service: Service
) -> None:
    kept.point()
    world.sites[TARGET].strike(Rule("error", "volume", "POST", r"/restore", nth=2, times=20, status=400))
    shown = kept.look(1)
    assert (shown.points[0].state, kept.there()) == (StandbyState.FAILED, {})
    assert shown.points[0].error
    assert wrong(world, service) == []
    world.sites[TARGET].script.rules.clear()
    assert kept.look().state is StandbyWord.READY


def test_its_volumes_are_not_undone_under_a_recovery(kept: Kept, world: World, service: Service) -> None:
    point = kept.point()
    kept.look()
    job_id = str(kept.row().job_id)
    world.sites[TARGET].strike(Rule("error", "compute", "POST", r"/servers", times=50, status=400))
    world.lose(SITE)
    job, recovery = service.recover(point)
    assert job.state is JobState.PAUSED
    with pytest.raises(Conflict, match=f"recovery {recovery.id} of mme takes these volumes over"):
        service.jobs.undo(job_id, "tester")
    kept.look()
    assert len(kept.there()) == kept.volumes
    service.undone(recovery.id)
    kept.look()
    assert (kept.rows.list()[:1] and kept.rows.list()[0].recovery_id, wrong(world, service)) in (
        ([], []),
        (None, []),
    )


def test_quota_is_told_and_a_promotion_needs_none(kept: Kept, world: World) -> None:
    point = kept.point()
    sim = world.sites[TARGET].settle()
    sim.quotas["volumes"] = kept.volumes - 1
    shown = kept.look(1)
    assert "quota volumes: the warm standby needs" in str(shown.note), shown
    sim.quotas["volumes"] = kept.volumes
    assert kept.look().state is StandbyWord.READY
    preview = kept.preview(point)
    assert (preview.startable, len(promoted(preview))) == (True, kept.volumes), reasons(preview)


def test_what_cannot_be_is_refused_by_name(kept: Kept, service: Service) -> None:
    for count in (-1, 9):
        with pytest.raises(Invalid, match="standby: "):
            kept.keep(count)
    with pytest.raises(Invalid, match="has the data at the target already"):
        kept.standby.check_wanted("volume-replication", TARGET, 1)
    with pytest.raises(Invalid, match="no target site"):
        kept.standby.check_wanted("consistent-backup", None, 1)
    kept.standby.check_wanted("volume-replication", None, 0)


def test_a_paused_protection_keeps_what_it_has(kept: Kept, service: Service) -> None:
    kept.point()
    kept.look()
    paused = service.protections.get(service.caller, kept.protection.id)
    kept.standby._protections.change(paused.id, lambda p: Protection(**{**p.__dict__, "paused": True}))
    kept.point()
    shown = kept.look(3)
    assert (shown.state, shown.ready) == (StandbyWord.BEHIND, 1)
    assert "paused" in str(shown.note)
