"""The service in a process of its own, killed at a step boundary; the sites stay here."""

from __future__ import annotations

from pathlib import Path

from multisite_lab.sim.world import World
from tests.sim.house import SITE, TARGET, House, life, living, prepare, wrong
from tests.sim.outcome import compare_data, differences, outcome


def test_a_recovery_survives_the_death_of_its_process(world: World, tmp_path: Path) -> None:
    with living(tmp_path, world) as house:
        house.deploy("mme", servers=1)
        _, point = house.protect("mme")
    world.lose(SITE)
    died = life(tmp_path, "recover", point.id, die_at=20)
    assert (died.code, len(died.boundaries), died.told) == (-9, 20, None)
    rested = life(tmp_path, "rest")
    assert rested.code == 0
    assert {told["state"] for told in rested.told} == {"done"}
    with living(tmp_path, world) as house:
        assert wrong(world, house) == []
        manifest = house.manifests.read(point.id)
        assert compare_data(world.sites[TARGET].settle(), manifest) == {"mme-1": "as marked"}


def test_a_protection_killed_while_frozen_leaves_nothing(world: World, tmp_path: Path) -> None:
    with living(tmp_path, world) as house:
        house.deploy("mme", servers=1)
        house.protection("mme", freeze_timeout=5)
        before = outcome(world, house)
    undisturbed = life(tmp_path, "protect", "mme")
    assert undisturbed.told["state"] == "done"
    begin = undisturbed.boundaries.index("begin-capture") + 1
    died = life(tmp_path, "protect", "mme", die_at=begin)
    assert died.boundaries[-1] == "begin-capture"
    rested = life(tmp_path, "rest")
    assert sorted(told["state"] for told in rested.told) == ["done", "undone"]
    with living(tmp_path, world) as house:
        assert wrong(world, house) == []
        after = outcome(world, house)
        assert after.sites[SITE]["snapshots"] == before.sites[SITE]["snapshots"] == []
        assert [line for line in differences(before, after) if "/servers" in line] == []


def test_a_second_house_over_the_same_folder_knows_what_the_first_did(world: World, tmp_path: Path) -> None:
    prepare(tmp_path, world)
    first = House(tmp_path)
    first.open()
    first.deploy("mme", servers=1)
    first.close()
    with living(tmp_path, world) as second:
        assert second.application("mme").site == SITE
