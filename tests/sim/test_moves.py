"""Planned moves over simulated sites: nothing is lost, never two copies are active, an undo starts what was stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.manifest import Manifest
from multisite.domain.model import Purpose, Recovery, RecoveryState
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite_lab.guest.console import parse
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.deploy import NOVA, ask
from tests.sim.outcome import site_facts
from tests.sim.service import MAPPING, SITE, TARGET, Service, state_of

RULES = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}
HALF_WAY = Rule("error", "network", "POST", "^/v2.0/networks$|^/networks$", status=403)
"""A move stops there at the target, with everything stopped at the source."""


def begin(service: Service, point: str, target: str = TARGET, **rules: Any) -> Recovery:
    name = service.manifests.read(point).application
    shown = service.recoveries.preview(service.caller, point, target, RULES | rules, purpose=Purpose.MOVE)
    assert shown.startable, shown.problems
    return service.recoveries.start(
        service.caller, point, target, RULES | rules, confirm=name, preview=shown.digest, purpose=Purpose.MOVE
    )


def move(service: Service, point: str, target: str = TARGET, **rules: Any) -> tuple[Job, Recovery]:
    started = begin(service, point, target, **rules)
    return service.rest(started.job_id), service.recoveries.get(service.caller, started.id)


def statuses(world: World, site: str = SITE) -> dict[str, str]:
    return {server.name: server.status for server in state_of(world, site).servers.values()}


def order(service: Service, site: str, server_id: str, action: str) -> None:
    ask(service.cloud(site).compute, "POST", f"/servers/{server_id}/action", {action: None}, NOVA)


def lost(world: World, manifest: Manifest, target: str = TARGET) -> dict[str, int]:
    """Records that stand on the root disk at the source, and that the guest at the target did not find at its boot."""
    source, there = state_of(world, manifest.source.name), state_of(world, target)
    found = {}
    for record in manifest.servers:
        written = source.volumes[record.volume_ids[0]].content.seq
        (copy,) = [server for server in there.servers.values() if server.name == record.name]
        verdict = parse("\n".join(copy.console)).verdict
        assert verdict is not None
        assert verdict.consistent
        found[record.name] = written - verdict.root
    return found


def moved_point(service: Service, found: Recovery) -> Manifest:
    return service.manifests.read(found.restore_point_id)


@pytest.fixture
def point(service: Service) -> str:
    service.deploy("mme")
    return service.protect("mme")[1].id


def test_nothing_is_lost(world: World, service: Service, point: str) -> None:
    job, found = move(service, point)
    assert (job.state, found.state, found.purpose) == (JobState.DONE, "done", Purpose.MOVE), job.error
    final = moved_point(service, found)
    assert final.parent_id == point, "the final run builds on what there is"
    assert (final.quiesced, final.frozen) == (True, ())
    assert [server.stopped for server in final.servers] == [False, False], "they come back running"
    assert lost(world, final) == {"mme-1": 0, "mme-2": 0}
    assert (statuses(world), statuses(world, TARGET)) == (
        {"mme-1": "SHUTOFF", "mme-2": "SHUTOFF"},
        {"mme-1": "ACTIVE", "mme-2": "ACTIVE"},
    )
    assert (found.rpo_seconds, found.epoch, service.application("mme").epoch) == (0.0, 1, 1)
    stops = [s.subject for s in world.sites[SITE].script.log if s.path.endswith("action#os-stop")]
    members = sorted(service.application("mme").members, key=lambda m: m.order)
    assert stops == [m.server_id for m in reversed(members)], "in reverse boot order"
    assert found.downtime_seconds is not None
    assert found.rto_seconds is not None
    assert 0 < found.downtime_seconds < found.rto_seconds
    with pytest.raises(Conflict, match=f"made the copy in {TARGET} the application"):
        service.protect("mme")
    known = {m.id: m for m in service.manifests.list().manifests}
    assert [s.port_ids for s in final.servers] == [s.port_ids for s in known[point].servers], "NICs in order"
    assert not [note for note in final.notes if "NICs" in note]
    log = [seen for site in world.sites.values() for seen in site.script.log]
    assert [seen.call for seen in log if not seen.known] == [], "the simulation lacks these calls"


def test_what_is_written_past_nova_after_the_final_run_is_seen_as_lost(
    world: World, service: Service, point: str
) -> None:
    """The negative control of the judge: a guest that was started on its host writes on."""
    _, found = move(service, point)
    final = moved_point(service, found)
    root = state_of(world, SITE).volumes[final.servers[0].volume_ids[0]]
    root.content = replace(root.content, seq=root.content.seq + 7)
    assert lost(world, final) == {final.servers[0].name: 7, final.servers[1].name: 0}


def test_undone_the_application_runs_where_it_was(world: World, service: Service, point: str) -> None:
    before = site_facts(state_of_site(world, TARGET))
    _, found = move(service, point)
    job, found = service.undo(found.id)
    assert (job.state, found.state) == (JobState.UNDONE, "undone"), job.error
    assert statuses(world) == {"mme-1": "ACTIVE", "mme-2": "ACTIVE"}
    starts = [s.subject for s in world.sites[SITE].script.log if s.path.endswith("action#os-start")]
    members = sorted(service.application("mme").members, key=lambda m: m.order)
    assert starts == [m.server_id for m in members], "in boot order"
    after = site_facts(state_of_site(world, TARGET))
    assert {**after, "backups": ()} == {**before, "backups": ()}
    assert service.application("mme").epoch == 0
    assert {p.id: p.state for p in service.points()} == {point: "available", found.restore_point_id: "failed"}
    assert world.problems(service.owners()) == []
    job, newer = service.protect("mme")
    assert (job.state, newer.parent_id) == (JobState.DONE, point), job.error


def state_of_site(world: World, name: str) -> Any:
    return world.sites[name].settle()


def test_a_member_that_was_off_is_left_off(world: World, service: Service, point: str) -> None:
    first, second = (m.server_id for m in sorted(service.application("mme").members, key=lambda m: m.order))
    order(service, SITE, second, "os-stop")
    names = {s.id: s.name for s in state_of(world, SITE).servers.values()}
    job, found = move(service, point)
    assert job.state is JobState.DONE, job.error
    assert statuses(world, TARGET) == {names[first]: "ACTIVE", names[second]: "SHUTOFF"}
    service.undone(found.id)
    assert statuses(world) == {names[first]: "ACTIVE", names[second]: "SHUTOFF"}


def test_a_member_that_is_started_by_hand_stops_the_move(world: World, service: Service, point: str) -> None:
    """Also when it is off again: what it wrote would be lost."""
    world.sites[TARGET].strike(replace(HALF_WAY))
    job, found = move(service, point)
    assert (job.state, found.state) == (JobState.PAUSED, "paused"), job.error
    member = service.application("mme").members[0]
    order(service, SITE, member.server_id, "os-start")
    job, found = service.resume(found.id)
    assert job.state is JobState.PAUSED
    assert f"server {member.server_name} is ACTIVE in {SITE} after it was stopped for the move" in str(
        job.error
    )
    order(service, SITE, member.server_id, "os-stop")
    job, found = service.resume(found.id)
    assert job.state is JobState.PAUSED
    assert f"server {member.server_name} ran in {SITE}" in str(job.error)
    assert "(action start at " in str(job.error)
    assert not state_of(world).servers, "nothing was booted at the target"
    service.undone(found.id)
    assert set(statuses(world).values()) == {"ACTIVE"}
    assert world.problems(service.owners()) == []


def test_a_later_server_asks_its_own_original(world: World, service: Service, point: str) -> None:
    """Between the first boot at the target and the second."""
    world.sites[TARGET].strike(Rule("error", "compute", "POST", "^/servers$", nth=2, status=403))
    job, found = move(service, point)
    assert job.state is JobState.PAUSED
    (first,) = state_of(world).servers.values()
    other = next(m for m in service.application("mme").members if m.server_name != first.name)
    order(service, SITE, other.server_id, "os-start")
    job, found = service.resume(found.id)
    assert f"server {other.server_name} is ACTIVE in {SITE}" in str(job.error)
    assert len(state_of(world).servers) == 1
    service.undone(found.id)
    assert not state_of(world).servers


@pytest.mark.parametrize(
    "rule",
    [
        Rule("error", "volume", "POST", "^/snapshots$", nth=2, status=500),
        Rule("error", "volume", "POST", "^/backups$", nth=2, status=500, times=9),
    ],
    ids=["snapshot", "backup"],
)
def test_a_final_run_that_fails_goes_on_when_it_is_resumed(
    world: World, service: Service, point: str, rule: Rule
) -> None:
    world.sites[SITE].strike(rule)
    job, found = move(service, point)
    assert (job.state, rule.struck > 0) == (JobState.PAUSED, True), job.error
    with pytest.raises(Conflict, match=f"its move to {TARGET} is paused"):
        service.protect("mme")
    with pytest.raises(Conflict, match=f"recovery {found.id} of it in {TARGET} is paused"):
        move_again(service, point)
    world.sites[SITE].script.clear()
    job, found = service.resume(found.id)
    assert job.state is JobState.DONE, job.error
    assert set(lost(world, moved_point(service, found)).values()) == {0}
    assert world.problems(service.owners()) == []


def move_again(service: Service, point: str) -> None:
    service.recoveries.start(service.caller, point, TARGET, RULES, confirm="mme", purpose=Purpose.MOVE)


def test_an_undo_starts_the_members_though_the_backups_cannot_be_removed(
    world: World, service: Service, point: str
) -> None:
    """The application comes first."""
    _, found = move(service, point)
    world.sites[SITE].strike(Rule("error", "volume", "DELETE", "^/backups/", status=403, times=99))
    job, found = service.undo(found.id)
    assert (job.state, found.state) == (JobState.UNDO_FAILED, "undo_failed")
    assert (set(statuses(world).values()), len(state_of(world).servers)) == ({"ACTIVE"}, 0)


def test_what_is_in_the_way_is_told_before_anything_is_stopped(
    world: World, service: Service, point: str
) -> None:
    def problems(**rules: Any) -> str:
        shown = service.recoveries.preview(service.caller, point, TARGET, RULES | rules, purpose=Purpose.MOVE)
        assert not shown.startable
        return "; ".join(str(problem) for problem in shown.problems)

    shown = service.recoveries.preview(service.caller, point, TARGET, RULES, purpose=Purpose.MOVE)
    assert (shown.startable, shown.source_state, shown.items[0].action) == (True, "alive", "stop")
    with pytest.raises(Invalid, match=r"mapping\.source_is_fenced"):
        problems(source_is_fenced=True)
    with pytest.raises(Invalid, match="target_site"):
        service.recoveries.preview(service.caller, point, SITE, RULES, purpose=Purpose.MOVE)
    world.sites[SITE].strike(Rule("error", "compute", "GET", "/os-instance-actions$", status=403, times=9))
    assert "its actions cannot be read" in problems()
    world.sites[SITE].script.clear()
    member = service.application("mme").members[0]
    server = state_of(world, SITE).servers[member.server_id]
    server.status = "PAUSED"
    assert f"server {member.server_name}: it is PAUSED" in problems()
    server.status = "ACTIVE"
    state_of(world, SITE).ports[server.ports.pop()] |= {"device_id": "", "device_owner": ""}
    assert f"server {member.server_name} has other ports or volumes now" in problems()
    world.lose(SITE)
    assert "a move needs the source" in problems()
    assert not [s for s in world.sites[SITE].script.log if s.path.endswith("#os-stop")]


def test_there_and_back(world: World, service: Service) -> None:
    """The old servers are removed by hand in between, as an operator does who needs them no more."""
    service.deploy("mme", full=False)
    job, there = move(service, service.protect("mme")[1].id)
    assert job.state is JobState.DONE, job.error
    assert set(lost(world, moved_point(service, there)).values()) == {0}
    service.protections.delete(service.caller, service.protection("mme").id)
    service.applications.delete(service.caller, "mme")
    old = service.cloud(SITE)
    for server in list(state_of(world, SITE).servers):
        ask(old.compute, "DELETE", f"/servers/{server}", None, NOVA)
    for port in [
        p["id"] for p in state_of(world, SITE).ports.values() if not p["device_owner"].startswith("network:")
    ]:
        ask(old.network, "DELETE", f"/ports/{port}")
    members = [{"id": server["id"]} for server in there.servers]
    service.applications.create(service.owner(TARGET), "mme", TARGET, members)
    service.protections.create(
        service.caller, "mme", "consistent-backup", target_site=SITE, options={"freeze_timeout": 30}
    )
    job, point = service.protect("mme")
    assert job.state is JobState.DONE, job.error
    same = {f"mme-{kind}": f"mme-{kind}" for kind in ("data", "mgmt")}
    job, back = move(service, point.id, SITE, networks=same, security_groups=same)
    assert (job.state, back.state) == (JobState.DONE, RecoveryState.DONE), job.error
    assert set(lost(world, moved_point(service, back), SITE).values()) == {0}
    assert (set(statuses(world).values()), set(statuses(world, TARGET).values())) == ({"ACTIVE"}, {"SHUTOFF"})


def test_a_question_of_the_plan_holds_a_move(world: World, service: Service) -> None:
    service.deploy("mme")
    point = service.protect("mme")[1].id
    groups = [{"name": "data", "members": ["mme-2"]}, {"name": "front", "members": ["mme-1"]}]
    asks = {"name": "sure", "kind": "prompt", "when": "before-group", "group": "front", "question": "Go on?"}
    service.plans.create(service.owner(), "move", "mme", TARGET, mapping=RULES, groups=groups, hooks=[asks])
    started = service.recoveries.start(
        service.caller, point, None, {}, confirm="mme", plan="move", purpose=Purpose.MOVE
    )
    job = service.rest(started.job_id)
    assert (job.state, "Go on?: answer with" in str(job.error)) == (JobState.PAUSED, True), job.error
    assert {s.name for s in world.sites[TARGET].settle().state.servers.values()} == {"mme-2"}
    job = service.rest(service.recoveries.answer(service.caller, started.id, "yes").job_id)
    assert job.state is JobState.DONE, job.error
    assert {s.name for s in world.sites[TARGET].settle().state.servers.values()} == {"mme-1", "mme-2"}
