"""Warm standby over simulated sites: what is kept, and that one recovery takes it over."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.standby import StandbyState, StandbyWord
from multisite.jobs.model import JobState
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, state_of
from tests.sim.standby import Kept, promoted, reasons, restored, restores


@pytest.fixture
def kept(service: Service, world: World) -> Kept:
    return Kept(service, world)


def test_the_newest_point_is_kept_and_a_recovery_takes_it_over(
    kept: Kept, world: World, service: Service
) -> None:
    assert (kept.look().state, kept.kept()) == (StandbyWord.NONE, {}), "there is no restore point yet"
    point = kept.point()
    shown = kept.look()
    assert (shown.state, shown.ready, shown.note) == (StandbyWord.READY, 1, None), shown
    assert shown.bytes == sum(v.size for v in kept.kept().values()) << 30 > 0
    assert (shown.points[0].restore_point_id, len(kept.kept())) == (point, kept.volumes)
    assert wrong(world, service) == []
    looked = restores(world)
    before = set(kept.kept())
    preview = kept.preview(point)
    assert (len(promoted(preview)), restored(preview)) == (kept.volumes, [])
    assert "promotion" in next(i.detail for i in preview.items if i.action == "use" and i.kind == "volume")
    world.lose(SITE)
    job, recovery = service.recover(point)
    assert job.state is JobState.DONE, job.error
    assert restores(world) == looked, "nothing is restored by a promotion"
    state = state_of(world)
    attached = {v.id for v in state.volumes.values() if v.server_id}
    assert attached == before, "the servers have the very volumes that were kept"
    assert not any("multisite_standby" in v.metadata for v in state.volumes.values())
    assert wrong(world, service) == []
    assert kept.row().state is StandbyState.CLAIMED
    kept.look()
    assert (kept.rows.list(), len(state_of(world).volumes)) == ([], kept.volumes), "what was taken stays"
    job, _ = service.undo(recovery.id)
    assert job.state is JobState.UNDONE
    assert state_of(world).volumes == {}, "an undo deletes what was taken over, for guests have written to it"


def test_two_recoveries_never_get_the_same_volumes(kept: Kept, service: Service) -> None:
    point = kept.point()
    kept.look()
    row = kept.row()
    decision = kept.preview(point)
    assert promoted(decision)
    kept.rows.claim(row.id, "first")
    with pytest.raises(Conflict, match="are claimed by now, by recovery first"):
        kept.rows.claim(row.id, "second")
    again = kept.preview(point)
    assert (promoted(again), len(restored(again))) == ([], kept.volumes)
    assert "its volumes are claimed by recovery first" in reasons(again)
    with pytest.raises(Conflict, match="something has changed"):
        service.recoveries.start(
            service.caller, point, TARGET, MAPPING, confirm="mme", preview=decision.digest
        )
    kept.look(3)
    assert [one.recovery_id for one in kept.rows.list()] == [None], "a recovery nobody knows has it no more"
    with pytest.raises(Conflict, match="start again"):
        kept.rows.claim(row.id, "third")
