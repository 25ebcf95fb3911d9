"""Protect by volume replication, lose the site, promote the copies, prove them: in both modes of mirroring.

The tests of a mode build on each other and run in their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from multisite_lab import sites, vnf
from multisite_lab.guest.console import Record
from multisite_lab.manager import CommandFailed, Manager

TARGET = ("--target-site", "site2", "--create-missing-flavors", "--ready-console", "GUEST-READY")
MORE_RECORDS_SECONDS = 5


@dataclass
class Story:
    """One application in one mode: what earlier tests found out."""

    mode: str
    name: str
    application: vnf.Vnf
    point: dict[str, Any] = field(default_factory=dict)
    frozen_on: dict[str, Record] = field(default_factory=dict)


@pytest.fixture(scope="module", params=["snapshot", "journal"])
def story(request: pytest.FixtureRequest, service: Manager) -> Story:
    mode = request.param
    name = f"copied{mode}"
    application = vnf.deploy("site1", name, servers=2)
    service.cli("application", "create", name, "--site", "site1", "--metadata-tag", f"vnf={name}")
    service.cli("protection", "create", name, "--method", "volume-replication", "--target-site", "site2",
                "--option", f"mirror_mode={mode}", "--option", "freeze_timeout=25")  # fmt: skip
    return Story(mode, name, application)


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(1)


def recover(service: Manager, story: Story, *more: str) -> dict[str, Any]:
    begun = time.monotonic()
    made: dict[str, Any] = service.cli(
        "recovery", "start", story.point["id"], *TARGET, *more, "--yes-recover", story.name
    )
    seconds, rto, rpo = time.monotonic() - begun, made["rto_seconds"], made["rpo_seconds"]
    print(f"{story.mode}: recovered in {seconds:.1f} s, RTO {rto}, RPO {rpo}")
    assert made["state"] == "done", made
    return made


def prove(story: Story) -> None:
    """Every guest stands at the record it was frozen on, on both of its disks."""
    found = {s.name: vnf.proof("site2", s.id, timeout=60) for s in vnf.servers("site2", story.name)}
    assert set(found) == set(story.frozen_on)
    for name, proof in found.items():
        assert proof.matches(story.frozen_on[name]), (proof, story.frozen_on[name])


def remains() -> list[str]:
    return [thing for thing in vnf.leftovers("site2") if not thing.startswith("backup")]


def undo(service: Manager, made: dict[str, Any]) -> None:
    undone = service.cli("recovery", "undo", made["id"])
    assert undone["state"] == "undone", undone
    assert remains() == []


def power(story: Story, state: str) -> None:
    compute = vnf.connect("site1").compute
    for server in story.application.servers:
        (compute.stop_server if state == "SHUTOFF" else compute.start_server)(server.id)
    for server in story.application.servers:
        until(lambda id=server.id: compute.get_server(id).status == state, 120, f"{server.name} is {state}")


def test_a_restore_point_is_there_when_every_copy_has_it(service: Manager, story: Story) -> None:
    point = service.cli("protection", "run", story.name)
    assert point["state"] == "available", point
    assert point["quiesced"] is True
    print(f"{story.mode}: frozen {point['frozen_seconds']:.2f} s in all")
    for server in story.application.servers:
        record = vnf.expected("site1", server.id)
        assert record is not None, server.name
        story.frozen_on[server.name] = record
    story.point = point
    time.sleep(MORE_RECORDS_SECONDS)  # guests write on: what they write now must not be there


def test_an_application_that_is_alive_is_not_recovered(service: Manager, story: Story) -> None:
    with pytest.raises(CommandFailed, match="active"):
        recover(service, story)
    assert remains() == []


def test_stopped_at_the_source_the_storage_steps_down_and_an_undo_gives_it_back(
    service: Manager, story: Story
) -> None:
    power(story, "SHUTOFF")
    made = recover(service, story)
    prove(story)
    undo(service, made)
    power(story, "ACTIVE")
    vnf.wait_working("site1", [(server.id, server.name) for server in story.application.servers])


def test_the_site_is_lost(service: Manager, story: Story) -> None:
    # The copies follow again since the undo: a new point, and the site goes while guests write.
    test_a_restore_point_is_there_when_every_copy_has_it(service, story)
    print(f"site killed in {sites.kill('site1'):.2f} s")
    try:
        made = recover(service, story, "--source-is-fenced")
        prove(story)
        undo(service, made)
    finally:
        sites.start("site1")
