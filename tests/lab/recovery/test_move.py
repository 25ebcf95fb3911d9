"""A planned move between real sites while guests write until they are stopped, and its undo: 0 records lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from multisite_lab import sites, vnf
from multisite_lab.guest import console
from multisite_lab.manager import CommandFailed, Manager, running

NAME = "mov"
PORT = 8801
RULES = (
    "--target-site",
    "site2",
    "--create-missing-flavors",
    "--ready-console",
    "GUEST-VERIFY .*consistent=yes",
)
SECONDS = 300.0


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running(tmp_path_factory.mktemp("move"), port=PORT, register=("site1", "site2")) as made:
        yield made


@pytest.fixture(scope="module")
def servers(manager: Manager) -> Iterator[dict[str, str]]:
    """Name by id of two servers that run in site 1, and are protected once."""
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)
    deployed = vnf.deploy("site1", NAME, servers=2)
    manager.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
    manager.cli("protection", "create", NAME, "--target-site", "site2", "--console-mark", vnf.FREEZE_MARK)
    manager.cli("protection", "run", NAME)
    yield {server.id: server.name for server in deployed.servers}
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)


class Watch:
    """The newest record that each guest of site 1 has told to have written, until it is off."""

    def __init__(self, servers: dict[str, str]) -> None:
        self.newest = dict.fromkeys(servers, -1)
        self._domains = {server.id: server.domain for server in vnf.servers("site1", NAME)}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(id,)) for id in servers]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _look(self, id: str) -> None:
        while not self._over.wait(0.5):
            with contextlib.suppress(Exception):  # it is off, or busy
                self.newest[id] = max(self.newest[id], vnf.newest_record("site1", self._domains[id]))


def until(seen: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := seen()):
        assert time.monotonic() < deadline, f"{what}: not within {SECONDS:.0f} s"
        time.sleep(2)
    return found


def marked(manager: Manager) -> dict[str, int]:
    """The record each server was frozen on, in the newest restore point."""
    found: dict[str, int] = {}
    point = manager.cli("restore", "point", "show", NAME)
    for mark in point["marks"]:
        record = console.parse(mark["text"]).freezes[-1]
        found[mark["server_id"]] = record.number
    return found


def statuses(servers: dict[str, str]) -> set[str]:
    """Of all members in site 1."""
    compute = vnf.connect("site1").compute
    return {str(compute.get_server(id).status) for id in servers}


def test_nothing_is_lost_and_the_undo_starts_it_where_it_was(
    manager: Manager, servers: dict[str, str]
) -> None:
    left = vnf.leftovers("site2")
    before = marked(manager)
    with Watch(servers) as watch:
        until(lambda: all(watch.newest[id] > before[id] for id in servers), "guests write on")
        found = manager.cli("recovery", "move", NAME, *RULES, "--warm-sync", "--yes-move", NAME)
    assert (found["purpose"], found["state"], found["rpo_seconds"]) == ("move", "done", 0.0)
    assert statuses(servers) == {"SHUTOFF"}
    print(f"RTO {found['rto_seconds']:.1f} s, of which it stood still {found['downtime_seconds']:.1f} s")
    copies = {server["source_id"]: server["id"] for server in recovered(manager, found["id"])}
    for id, name in servers.items():
        verdict = console.parse(sites.console("site2", copies[id])).verdict
        assert verdict is not None
        assert verdict.consistent
        lost = max(0, watch.newest[id] - verdict.root)
        print(f"server {name}: record {watch.newest[id]} written at site 1, {verdict.root} found at site 2")
        assert lost == 0
        assert before[id] < watch.newest[id], "the control: the restore point before would have lost some"
    assert manager.cli("recovery", "undo", found["id"])["state"] == "undone"
    assert statuses(servers) == {"ACTIVE"}
    for id in servers:
        again = until(lambda id=id: console.parse(sites.console("site1", id)).verdict, "it works again")
        assert again.consistent
        assert again.root >= watch.newest[id]
    kept = [thing for thing in vnf.leftovers("site2") if not thing.startswith("backup")]
    assert kept == [thing for thing in left if not thing.startswith("backup")]


def recovered(manager: Manager, id: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = manager.cli("recovery", "show", id)["servers"]
    return shown


def test_a_member_that_was_started_by_hand_stops_the_move(manager: Manager, servers: dict[str, str]) -> None:
    """The negative control: no server boots at site 2 when one of site 1 has run after it was stopped."""
    started = manager.cli("recovery", "move", NAME, *RULES, "--yes-move", NAME, "--no-wait")
    until(lambda: steps(manager, started["job_id"]).get("manifest") == "done", "the final run")
    one = next(iter(servers))
    vnf.connect("site1").compute.start_server(one)
    with pytest.raises(CommandFailed):
        manager.cli("job", "watch", started["job_id"])
    job = manager.cli("job", "show", started["job_id"])
    assert job["state"] == "paused"
    assert "after it was stopped for the move" in job["error"]
    assert not list(vnf.connect("site2").compute.servers())
    assert manager.cli("recovery", "undo", started["id"])["state"] == "undone"
    assert statuses(servers) == {"ACTIVE"}


def steps(manager: Manager, job_id: str) -> dict[str, str]:
    """State of each step by its name."""
    return {step["name"]: step["state"] for step in manager.cli("job", "show", job_id)["steps"]}
