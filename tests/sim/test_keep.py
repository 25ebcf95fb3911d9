"""A world put aside: taken up twice, the two are equal and do not touch each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from multisite_lab.sim.keep import keep, take_up
from multisite_lab.sim.world import World
from tests.sim.outcome import outcome, site_facts
from tests.sim.service import SITE, TARGET, Service, running_service


def test_a_world_taken_up_is_as_it_was_and_another(world: World, service: Service, tmp_path: Path) -> None:
    service.deploy("mme", servers=1)
    service.protect("mme")
    before = outcome(world, service)
    kept = keep(world)
    one, other = take_up(kept), take_up(kept)
    assert outcome(one, service) == outcome(other, service) == before
    next(iter(one.sites[SITE].sim.state.servers.values())).name = "changed"
    one.store.objects.clear()
    assert outcome(other, service) == before
    assert keep(other) == kept
    assert other.store.objects


def test_a_lost_site_stays_lost(world: World) -> None:
    world.lose(SITE)
    with take_up(keep(world)) as again:
        assert again.lost == {SITE}
        assert not again.served[SITE].reachable
        assert again.served[TARGET].reachable


def test_what_is_still_to_happen_cannot_be_put_aside(world: World) -> None:
    world.sites[SITE].sim.after(60, lambda: None)
    with pytest.raises(TimeoutError):
        keep(world, patience=0.1)


def test_a_service_goes_on_in_a_world_taken_up(tmp_path: Path, world: World) -> None:
    with running_service(tmp_path, world) as service:
        service.deploy("mme", servers=1)
        service.protect("mme")
        kept = keep(world)
    with take_up(kept) as again, running_service(tmp_path, again) as service:
        job, point = service.protect("mme")
        assert (job.state, point.incremental) == ("done", True), job.error
        assert len(site_facts(again.sites[SITE].settle())["backups"]) == 4
    assert len(world.sites[SITE].settle().state.backups) == 2
