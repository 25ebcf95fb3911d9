"""Guests whose agents die or hang, and snapshots that do not come in time: nothing stays frozen or behind."""

from __future__ import annotations

from multisite.jobs.model import JobState
from multisite_lab.sim.model import Server
from multisite_lab.sim.nova.quiesce import agent
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.outcome import site_facts
from tests.sim.service import SITE, Service


def servers(world: World) -> dict[str, Server]:
    return {server.name: server for server in world.sites[SITE].settle().state.servers.values()}


def test_a_dead_and_a_hung_agent(world: World, service: Service) -> None:
    """Of the server that is frozen last: the one before it goes on."""
    service.deploy("mme")
    sim = world.sites[SITE].settle()
    before = site_facts(sim)
    for state in ("dead", "hung"):
        agent(sim, servers(world)["mme-1"], state)
        job, point = service.protect("mme")
        assert (job.state, point.state) == (JobState.UNDONE, "failed")
        assert "server mme-1 could not be frozen" in str(job.error)
        assert servers(world)["mme-2"].freeze.state == "thawed"
        agent(sim, servers(world)["mme-1"], "ok")
        assert wrong(world, service) == []
        assert site_facts(world.sites[SITE].settle()) == before
    job, _ = service.protect("mme")
    assert job.state == JobState.DONE, job.error


def test_snapshots_that_do_not_come_within_the_limit(world: World, service: Service) -> None:
    service.deploy("mme", servers=1)
    world.sites[SITE].sim.settings.snapshot = 8.0
    job, _ = service.protect("mme", freeze_timeout=5)
    assert job.state == JobState.UNDONE
    assert "raise freeze_timeout" in str(job.error)
    assert wrong(world, service) == []
    assert not world.sites[SITE].settle().state.snapshots
