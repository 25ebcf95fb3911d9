"""Drills over simulated sites: production is not touched, nothing is left, and what is damaged is found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from multisite.domain.drill import DrillReport, DrillStatus
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.model import RecoveryState
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.recover.drills import report
from multisite_client.osc.drill import verify
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World, make_world
from tests.manifest_store import flip_byte
from tests.sim.judge import wrong
from tests.sim.outcome import site_facts
from tests.sim.service import MAPPING, SITE, STORE, TARGET, Service, running_service

RULES = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}
T = TypeVar("T")
CHANGES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world) as made:
        world.store.folder = made.folder / STORE
        yield made


@pytest.fixture
def point(service: Service) -> str:
    """Of an application that runs on."""
    service.deploy("mme")
    service.protect("mme")
    job, made = service.protect("mme")
    assert (job.state, made.incremental) == (JobState.DONE, True), job.error
    return made.id


def begin(service: Service, point: str, **options: Any) -> DrillStatus:
    return once_imported(
        lambda: service.recoveries.drills.start(service.caller, point, TARGET, RULES, options)
    )


def once_imported(start: Callable[[], T]) -> T:
    """While one job imports the records of the backups, another is not started."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return start()
        except Conflict as error:
            if "is creating at" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def drill(service: Service, point: str, **options: Any) -> tuple[Job, DrillStatus]:
    job = service.rest(begin(service, point, **options).job_id)
    return job, service.recoveries.drills.list(service.caller)[0]


def reported(service: Service, id: str) -> DrillReport:
    return report.read(service.recoveries.drills.report(service.caller, id))


def without_records(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: its for name, its in facts.items() if name != "backups"}


def test_production_is_not_touched_and_nothing_is_left(world: World, service: Service, point: str) -> None:
    before, asked = site_facts(world.sites[TARGET].settle()), len(world.sites[SITE].script.log)
    production = site_facts(world.sites[SITE].settle())
    job, found = drill(service, point, rto_target=3600, rpo_target=3600)
    assert (job.state, job.error, found.result, found.reasons) == (JobState.UNDONE, None, "passed", ())
    seen = world.sites[SITE].script.log[asked:]
    changes = [s.call for s in seen if s.method in CHANGES and s.service != "identity"]
    assert changes == [], "no change at the source"
    assert site_facts(world.sites[SITE].settle()) == production
    assert without_records(site_facts(world.sites[TARGET].settle())) == without_records(before)
    assert wrong(world, service) == []
    made = reported(service, found.id)
    assert made.inventory.equal
    assert (made.inventory.left, made.inventory.gone, made.inventory.others) == ((), (), ())
    assert {d.kind for d in made.inventory.kept} == {"backup"}
    assert {c.before for c in made.inventory.counts if c.kind == "server"} == {0}
    assert all(d.recorded and d.blocks and not d.unknown for d in made.digests)
    assert len(made.digests) == len(service.manifests.read(point).volumes)
    assert made.rto_seconds is not None
    assert {s.state for s in made.steps} == {"done"}
    assert service.application("mme").epoch == 0


def test_what_is_made_meanwhile_is_a_copy_that_nobody_takes_for_the_application(
    world: World, service: Service, point: str
) -> None:
    job, found = drill(service, point, keep=True)
    assert (job.state, found.state, found.result) == (JobState.DONE, RecoveryState.DONE, "passed"), job.error
    state = world.sites[TARGET].settle().state
    networks = [n["name"] for n in state.networks.values() if not n.get("router:external")]
    names = [s.name for s in state.servers.values()] + networks
    assert [name for name in names if "-drill-" not in name] == []
    assert {s.metadata.get("multisite_drill") for s in state.servers.values()} == {found.id}
    assert {s.metadata.get("multisite_epoch") for s in state.servers.values()} == {None}
    assert not [r for r in state.routers.values() if r.get("external_gateway_info")]
    caller = service.owner(TARGET)
    servers = [{"id": next(iter(state.servers))}]
    with pytest.raises(Invalid, match=f"is a copy of drill {found.id}"):
        service.applications.create(caller, "taken", TARGET, servers)
    again, _ = service.protect("mme")
    assert again.state is JobState.DONE, "production is protected on"
    assert reported(service, found.id).kept
    with pytest.raises(NotFound):
        service.recoveries.drills.get(service.caller, "00000000-0000-0000-0000-000000000000")
    service.rest(service.recoveries.drills.end(service.caller, found.id).job_id)
    ended = service.recoveries.drills.get(service.caller, found.id)
    assert (ended.state, ended.result, ended.inventory_equal) == (RecoveryState.UNDONE, "passed", True)
    assert not world.sites[TARGET].settle().state.servers
    with pytest.raises(Conflict):
        service.recoveries.drills.end(service.caller, found.id)


def test_a_flipped_byte_is_found_and_named(world: World, service: Service, point: str) -> None:
    (chunk, *_) = sorted(world.store.folder.glob("??/??/*/*-00001"))  # type: ignore[union-attr]
    flip_byte(chunk)
    job, found = drill(service, point)
    assert (job.state, found.result) == (JobState.UNDONE, "failed")
    (reason, *_) = found.reasons
    backup = chunk.parent.name
    volume = chunk.name.split("_")[1]
    name = service.manifests.read(point).volume(volume).name
    assert backup in reason, reason
    assert chunk.name in reason
    assert name in reason
    assert "bytes" in reason
    assert reported(service, found.id).inventory.equal, "it is removed all the same"
    assert not world.sites[TARGET].settle().state.servers
    assert wrong(world, service) == []
    job, found = drill(service, point, verify="none")
    assert found.result == "passed", "the negative control: not looked at, it is not found"


def test_digests_that_were_changed_with_the_data_are_not_those_of_the_signed_restore_point(
    world: World, service: Service, point: str
) -> None:
    import hashlib
    import zlib

    (chunk, *_) = sorted(world.store.folder.glob("??/??/*/*-00001"), key=lambda p: p.stat().st_mtime)[-1:]  # type: ignore[union-attr]
    other = b"something else".ljust(32768, b"\0")
    chunk.write_bytes(zlib.compress(other))
    digests = chunk.with_name(chunk.name.replace("-00001", "_sha256file"))
    metadata = json.loads(chunk.with_name(chunk.name.replace("-00001", "_metadata")).read_text())
    known = json.loads(digests.read_text())
    block = metadata["objects"][0][chunk.name]["offset"] // known["chunk_size"]
    known["sha256s"][block] = hashlib.sha256(other).hexdigest()
    digests.write_text(json.dumps(known))
    _, found = drill(service, point)
    assert found.result == "failed"
    assert "in the signed restore point" in found.reasons[0], found.reasons


def test_one_that_fails_is_removed_and_says_why(world: World, service: Service, point: str) -> None:
    before = site_facts(world.sites[TARGET].settle())
    world.sites[TARGET].strike(Rule("error", "compute", "POST", "^/servers$", nth=2, status=403))
    job, found = drill(service, point)
    assert (job.state, found.result) == (JobState.UNDONE, "failed")
    assert "Boot server mme-" in found.reasons[0]
    assert without_records(site_facts(world.sites[TARGET].settle())) == without_records(before)
    assert reported(service, found.id).inventory.equal
    assert wrong(world, service) == []


def test_one_that_fails_is_kept_to_look_at_and_ended(world: World, service: Service, point: str) -> None:
    world.sites[TARGET].strike(Rule("error", "compute", "POST", "^/servers$", nth=2, status=403))
    job, found = drill(service, point, keep=True)
    assert (job.state, found.result, found.state) == (JobState.PAUSED, "failed", RecoveryState.PAUSED)
    assert len(world.sites[TARGET].settle().state.servers) == 1
    service.rest(service.recoveries.drills.end(service.caller, found.id).job_id)
    ended = service.recoveries.drills.get(service.caller, found.id)
    assert (ended.state, ended.result, ended.inventory_equal) == (RecoveryState.UNDONE, "failed", True)
    assert wrong(world, service) == []


def test_two_at_once_and_a_recovery_beside_them(world: World, service: Service, point: str) -> None:
    first, second = begin(service, point), begin(service, point, keep=True)
    started = once_imported(
        lambda: service.recoveries.start(service.caller, point, TARGET, MAPPING, confirm="mme")
    )
    for job_id in (first.job_id, second.job_id, started.job_id):
        assert service.rest(job_id).error is None
    results = [service.recoveries.drills.get(service.caller, d.id) for d in (first, second)]
    assert [(r.result, r.reasons) for r in results] == [("passed", ())] * 2
    recovery = service.recoveries.get(service.caller, started.id)
    assert (recovery.state, recovery.epoch) == (RecoveryState.DONE, 1)
    state = world.sites[TARGET].settle().state
    assert sorted("-drill-" in s.name for s in state.servers.values()) == [False, False, True, True]
    service.rest(service.recoveries.drills.end(service.caller, second.id).job_id)
    assert [line for line in wrong(world, service) if "orphan" in line] == [], "the source still runs, too"
    assert len(world.sites[TARGET].settle().state.servers) == 2, "the application is still there"


def test_a_backup_that_another_drill_restores_is_waited_for(world: World, service: Service) -> None:
    service.deploy("mme", servers=1, full=False)  # few volumes: more than one drill may restore at a time
    _, made = service.protect("mme")
    point, target = made.id, world.sites[TARGET]
    usual, target.sim.settings = target.sim.settings, replace(target.sim.settings, restore=3600.0)
    first = begin(service, point)
    until(lambda: any(b.status == "restoring" for b in target.settle().state.backups.values()))
    second = begin(service, point)
    until(lambda: waited(service.jobs.get(second.job_id)))
    target.sim.settings = usual
    target.bring_forward()
    jobs = [service.rest(begun.job_id) for begun in (first, second)]
    assert [d.result for d in service.recoveries.drills.list(service.caller)] == ["passed", "passed"]
    told = waited(jobs[1])
    assert len(set(told)) == len(told), "once for each volume"
    assert wrong(world, service) == []


def waited(job: Job) -> list[str]:
    return [entry.message for entry in job.journal if "another job has restored" in entry.message]


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_others_make_meanwhile_is_told_apart(world: World, service: Service, point: str) -> None:
    _, found = drill(service, point, keep=True)
    cloud = service.cloud(TARGET)
    cloud.network.post("/networks", json={"network": {"name": "of-somebody"}})
    service.rest(service.recoveries.drills.end(service.caller, found.id).job_id)
    inventory = reported(service, found.id).inventory
    assert inventory.equal
    assert [(d.kind, d.name) for d in inventory.others] == [("network", "of-somebody")]


def test_what_goes_meanwhile_and_what_is_left_is_named(world: World, service: Service, point: str) -> None:
    cloud = service.cloud(TARGET)
    made = cloud.network.post("/networks", json={"network": {"name": "of-somebody"}}).json()["network"]["id"]
    _, found = drill(service, point, keep=True)
    cloud.network.delete(f"/networks/{made}")
    service.rest(service.recoveries.drills.end(service.caller, found.id).job_id)
    ended = service.recoveries.drills.get(service.caller, found.id)
    assert (ended.result, ended.inventory_equal) == ("failed", False)
    assert ended.reasons == ("the inventory differs: network of-somebody is gone",)


def test_what_cannot_be_counted_is_unknown_and_no_proof(world: World, service: Service, point: str) -> None:
    world.sites[TARGET].strike(Rule("error", "image", "GET", "/images$", times=99, status=500))
    job, found = drill(service, point)
    assert (job.state, found.result, found.inventory_equal) == (JobState.UNDONE, "failed", False)
    assert found.reasons[0].startswith("the inventory is not known: image: ")
    assert not world.sites[TARGET].settle().state.servers
    assert wrong(world, service) == []


def test_a_schedule_takes_the_newest_and_waits_for_the_last_one(service: Service, point: str) -> None:
    drills, application = service.recoveries.drills, service.application("mme").id
    with pytest.raises(NotFound, match="protect it first"):
        drills.start_newest(service.caller, "another", TARGET, RULES)
    first = drills.start_newest(service.caller, application, TARGET, RULES)
    assert first.restore_point_id == point
    with pytest.raises(Conflict, match=f"{first.id} of mme is running"):
        drills.start_newest(service.caller, application, TARGET, RULES)
    service.rest(first.job_id)
    service.rest(drills.start_newest(service.caller, application, TARGET, RULES).job_id)
    assert [d.result for d in drills.list(service.caller)] == ["passed", "passed"]


def test_targets_that_are_missed(service: Service, point: str) -> None:
    _, found = drill(service, point, rto_target=0.001, rpo_target=0.001)
    assert found.result == "failed"
    assert [reason.split(" is ")[0] for reason in found.reasons] == ["RTO", "RPO"]


def test_the_report_is_signed_to_the_last_byte(service: Service, point: str) -> None:
    _, found = drill(service, point)
    drills = service.recoveries.drills
    key = drills.public_key().encode()
    for text in (drills.report(service.caller, found.id), drills.page(service.caller, found.id)):
        sealed = text.encode()
        assert verify(sealed, key, "file")["verified"]
        begins = sealed.index(b"\n") + 1
        for place in (begins, begins + len(sealed[begins:]) // 2, len(sealed) - 1):
            changed = bytearray(sealed)
            changed[place] ^= 1
            with pytest.raises(Exception, match="changed after it was signed"):
                verify(bytes(changed), key, "file")
        with pytest.raises(Exception, match="no signature"):
            verify(b"x" + sealed, key, "file")
    assert "<script" not in drills.page(service.caller, found.id)
