"""A world can be saved and gone back to, at the same addresses."""

from __future__ import annotations

from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.outcome import site_facts
from tests.sim.service import Service


def test_a_saved_world_is_as_it_was(world: World, service: Service) -> None:
    service.deploy("mme", servers=1)
    saved, before = world.save(), site_facts(world.sites["site1"].settle())
    service.protect("mme")
    world.lose("site2")
    world.sites["site1"].strike(Rule("error"))
    assert site_facts(world.sites["site1"].settle()) != before
    world.go_back(saved)
    assert site_facts(world.sites["site1"].settle()) == before
    assert (world.lost, world.store.objects, world.sites["site1"].script.rules) == (set(), {}, [])
    assert world.served["site2"].reachable
    assert wrong(world) == []


def test_a_rule_may_name_a_call_as_the_log_does(world: World, service: Service) -> None:
    service.deploy("mme", servers=1)
    script = world.sites["site1"].script
    rule = script.add(Rule("error", "compute", "GET", template="/servers/{id}", status=503))
    service.protect("mme")
    assert rule.struck == 1
    struck = [seen for seen in script.log if seen.fault]
    assert [(seen.call, seen.rows) for seen in struck] == [(("compute", "GET", "/servers/{id}"), None)]
    assert {seen.rows for seen in script.log if seen.path == "/volumes/detail"} == {2}
