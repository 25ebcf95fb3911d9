"""Each thing that must never be is found when it is made on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite_lab.sim.clock import ManualClock
from multisite_lab.sim.model import Freeze, Guest, Server, Sim, Snapshot, Volume, new_id
from multisite_lab.sim.problems import KEY, problems
from multisite_lab.sim.world import make_world

TOKEN = "multisite:job-1:step"


@pytest.fixture
def sim() -> Sim:
    return make_world(("one",), clock=ManualClock()).sites["one"].sim


def volume(token: str = TOKEN, name: str = "v") -> Volume:
    made = Volume("", name, None, 1, "p", "u", "rbd", 0.0, "available", metadata={KEY: token})
    return replace(made, id=new_id())


def server(sim: Sim, name: str = "s", ports: tuple[str, ...] = ()) -> Server:
    flavor = next(iter(sim.state.flavors.values()))
    made = Server(
        f"server-{name}", name, "p", "u", 0.0, flavor, {}, [], None, name, None, None, "nova",
        config_drive=False, disks=[], ports=list(ports), group_id=None, status="ACTIVE", task_state=None,
    )  # fmt: skip
    sim.state.servers[made.id] = made
    return made


def keep(sim: Sim, *volumes: Volume) -> None:
    sim.state.volumes |= {v.id: v for v in volumes}


def test_nothing_is_wrong_with_what_is_right(sim: Sim) -> None:
    keep(sim, volume())
    server(sim)
    assert problems([sim], jobs={"job-1"}) == []


def test_two_of_one_step(sim: Sim) -> None:
    keep(sim, volume(), volume())
    assert problems([sim], jobs={"job-1"}) == [f"one: 2 times volume of {TOKEN}"]


def test_a_volume_named_and_marked_is_one(sim: Sim) -> None:
    keep(sim, volume(name=TOKEN))
    assert problems([sim], jobs={"job-1"}) == []


def test_an_orphan(sim: Sim) -> None:
    keep(sim, volume())
    (found,) = problems([sim], jobs={"job-2"})
    assert found.endswith("an orphan")


def test_a_snapshot_may_be_there_while_its_job_works(sim: Sim) -> None:
    for volume_id in ("a", "b"):  # one step makes one of each volume
        made = Snapshot(f"snapshot-{volume_id}", "", None, volume_id, 1, "p", 0.0, metadata={KEY: TOKEN})
        sim.state.snapshots[made.id] = made
    assert problems([sim], working={"job-1"}) == []
    assert [line.rpartition(": ")[2] for line in problems([sim], jobs={"job-1"})] == ["left behind"] * 2


def test_an_orphaned_server_group(sim: Sim) -> None:
    row = {"id": "g", "name": "app-ms-01234567-89abcdef", "project_id": "p", "members": []}
    sim.state.server_groups["g"] = row
    assert problems([sim], jobs={"job-1"}) == [f"one: server group {row['name']}: an orphan"]


def test_a_server_frozen_past_its_limit(sim: Sim) -> None:
    made = server(sim)
    made.freeze = Freeze("frozen", 1, 5, sim.now, sim.now + 5)
    assert problems([sim]) == []
    clock = sim.clock
    assert isinstance(clock, ManualClock)
    clock.move(7)
    assert problems([sim]) == ["one: server s is frozen past its limit"]


def test_a_guest_that_nobody_is_to_thaw(sim: Sim) -> None:
    server(sim).guest = Guest(1, 1, 0.0, working=True, parked=5)
    assert problems([sim]) == ["one: server s stands still, and nobody is to thaw it"]


def test_an_address_that_is_active_twice(sim: Sim) -> None:
    for name in ("a", "b"):
        made = server(sim, name, (f"port-{name}",))
        ip = {"subnet_id": "s", "ip_address": "10.0.0.5"}
        sim.state.ports[f"port-{name}"] = {
            "id": f"port-{name}", "device_id": made.id, "mac_address": "fa:16:3e:00:00:01",
            "network_id": "net", "fixed_ips": [ip], "tags": [], "description": "",
        }  # fmt: skip
    assert problems([sim]) == [
        "MAC address fa:16:3e:00:00:01 is active 2 times",
        "address 10.0.0.5 is active 2 times in network net",
    ]
    sim.state.servers["server-b"].status = "SHUTOFF"
    assert problems([sim]) == []
