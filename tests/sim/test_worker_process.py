"""The service in a process of its own, killed at a step boundary; the sites stay here."""

from __future__ import annotations

from pathlib import Path

from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.outcome import compare_data, differences, outcome
from tests.sim.service import SITE, TARGET, Service, prepare, running_service, worker_process


def test_a_recovery_survives_the_death_of_its_process(world: World, tmp_path: Path) -> None:
    with running_service(tmp_path, world) as service:
        service.deploy("mme", servers=1)
        _, point = service.protect("mme")
    world.lose(SITE)
    died = worker_process(tmp_path, "recover", point.id, die_at=20)
    assert (died.code, len(died.boundaries), died.told) == (-9, 20, None)
    rested = worker_process(tmp_path, "rest")
    assert rested.code == 0
    assert {told["state"] for told in rested.told} == {"done"}
    with running_service(tmp_path, world) as service:
        assert wrong(world, service) == []
        manifest = service.manifests.read(point.id)
        assert compare_data(world.sites[TARGET].settle(), manifest) == {"mme-1": "as marked"}


def test_a_protection_killed_while_frozen_leaves_nothing(world: World, tmp_path: Path) -> None:
    with running_service(tmp_path, world) as service:
        service.deploy("mme", servers=1)
        service.protection("mme", freeze_timeout=5)
        before = outcome(world, service)
    undisturbed = worker_process(tmp_path, "protect", "mme")
    assert undisturbed.told["state"] == "done"
    begin = undisturbed.boundaries.index("begin-capture") + 1
    died = worker_process(tmp_path, "protect", "mme", die_at=begin)
    assert died.boundaries[-1] == "begin-capture"
    rested = worker_process(tmp_path, "rest")
    assert sorted(told["state"] for told in rested.told) == ["done", "undone"]
    with running_service(tmp_path, world) as service:
        assert wrong(world, service) == []
        after = outcome(world, service)
        assert after.sites[SITE]["snapshots"] == before.sites[SITE]["snapshots"] == []
        assert [line for line in differences(before, after) if "/servers" in line] == []


def test_a_second_service_over_the_same_folder_knows_what_the_first_did(world: World, tmp_path: Path) -> None:
    prepare(tmp_path, world)
    first = Service(tmp_path)
    first.open()
    first.deploy("mme", servers=1)
    first.close()
    with running_service(tmp_path, world) as second:
        assert second.application("mme").site == SITE
