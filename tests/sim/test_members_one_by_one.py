"""Moves member by member over simulated sites: the others stay up, nothing is lost, a failure puts one member back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.model import Application, Purpose, Recovery
from multisite.domain.stretched import Member, StretchedNetwork, StretchKind, StretchState
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.store.stretched import StretchedRepository
from multisite_lab.guest.console import parse
from multisite_lab.sim.faults import Rule, Seen
from multisite_lab.sim.world import World
from tests.sim import deploy
from tests.sim.deploy import NOVA, ask
from tests.sim.outcome import site_facts
from tests.sim.service import MAPPING, SITE, TARGET, Service, state_of

RULES = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"} | {"one_by_one": True}
NAMES = ("mme-1", "mme-2", "mme-3")


class Watcher:
    """Asks at every request to either site which members serve nowhere; ``most``: of them at the same time."""

    def __init__(self, world: World) -> None:
        self.world, self.most, self.downs = world, 0, list[str]()
        self.twice: list[str] = []
        for site in world.sites.values():
            self._hook(site.script)

    def _hook(self, script: Any) -> None:
        note = script.note

        def noted(seen: Seen) -> None:
            note(seen)
            self.look(seen.path)

        script.note = noted

    def look(self, when: str) -> None:
        up: dict[str, list[str]] = {name: [] for name in NAMES}
        for name, site in self.world.sites.items():
            for server in list(site.sim.state.servers.values()):
                if server.name in up and server.status == "ACTIVE":
                    up[server.name].append(name)
        down = [name for name, where in up.items() if not where]
        self.twice += [f"{name} at {when}" for name, where in up.items() if len(where) > 1]
        self.most = max(self.most, len(down))
        self.downs += [name for name in down if name not in self.downs[-1:]]


def stretch(
    service: Service, kind: StretchKind = StretchKind.VLAN, names: tuple[str, ...] = ("data", "mgmt")
) -> None:
    """The application's networks have their part at the target."""
    sites = {site: service.cloud(site) for site in (SITE, TARGET)}
    rows = {n["name"]: n for n in ask(sites[SITE].network, "GET", "/networks")["networks"]}
    for name in names:
        here = rows[f"mme-{name}"]
        there = deploy.network(sites[TARGET], f"stretched-{name}", deploy.NETWORKS[name])
        parts = (Member(SITE, here["id"], project_id="p"), Member(TARGET, there, project_id="p"))
        made = StretchedNetwork(
            str(uuid.uuid4()),
            f"mme-{name}",
            "p",
            kind,
            StretchState.ACTIVE,
            deploy.NETWORKS[name],
            parts,
            100,
        )
        StretchedRepository(service.database).add(made)


def begin(service: Service, point: str, **rules: Any) -> Recovery:
    shown = service.recoveries.preview(service.caller, point, TARGET, RULES | rules, purpose=Purpose.MOVE)
    assert shown.startable, shown.problems
    return service.recoveries.start(
        service.caller,
        point,
        TARGET,
        RULES | rules,
        confirm="mme",
        preview=shown.digest,
        purpose=Purpose.MOVE,
    )


def move(service: Service, point: str, **rules: Any) -> tuple[Job, Recovery]:
    started = begin(service, point, **rules)
    return service.rest(started.job_id), service.recoveries.get(service.caller, started.id)


def problems(service: Service, point: str, **rules: Any) -> str:
    shown = service.recoveries.preview(service.caller, point, TARGET, RULES | rules, purpose=Purpose.MOVE)
    return "; ".join(f"{problem} -> {problem.remedy}" for problem in shown.problems if problem.blocking)


def statuses(world: World, site: str = SITE) -> dict[str, str]:
    return {server.name: server.status for server in state_of(world, site).servers.values()}


def lost(world: World) -> dict[str, int]:
    """Records on the root disks at the source that the guests at the target did not find at their boot."""
    there, found = state_of(world, TARGET), {}
    for source in state_of(world, SITE).servers.values():
        written = state_of(world, SITE).volumes[source.disks[0].volume_id].content.seq
        (copy,) = [server for server in there.servers.values() if server.name == source.name]
        verdict = parse("\n".join(copy.console)).verdict
        assert verdict is not None
        assert verdict.consistent
        found[source.name] = written - verdict.root
    return found


def stopped(world: World, action: str = "os-stop", site: str = SITE) -> list[str]:
    """Names, in the order in which they were asked."""
    names = {server.id: server.name for server in state_of(world, site).servers.values()}
    return [
        names[str(s.subject)] for s in world.sites[site].script.log if s.path.endswith(f"action#{action}")
    ]


def in_order(application: Application) -> list[str]:
    return [m.server_name for m in sorted(application.members, key=lambda m: m.order)]


@pytest.fixture(autouse=True)
def _patient(service: Service) -> None:
    service.patience = 600.0


@pytest.fixture
def point(service: Service) -> str:
    service.deploy("mme", 3, full=False)
    stretch(service)
    return service.protect("mme")[1].id


@pytest.fixture
def watcher(world: World, point: str) -> Iterator[Watcher]:
    made = Watcher(world)
    yield made
    assert made.twice == [], "a member was active twice"


def test_one_member_is_down_at_a_time_and_nothing_is_lost(
    world: World, service: Service, point: str, watcher: Watcher
) -> None:
    job, found = move(service, point)
    assert (job.state, found.state, found.purpose) == (JobState.DONE, "done", Purpose.MOVE), job.error
    assert watcher.most == 1
    assert watcher.downs == in_order(service.application("mme")), "each once"
    assert stopped(world) == in_order(service.application("mme"))
    assert set(statuses(world).values()) == {"SHUTOFF"}
    assert statuses(world, TARGET) == dict.fromkeys(NAMES, "ACTIVE")
    assert lost(world) == dict.fromkeys(NAMES, 0)
    assert (found.rpo_seconds, found.epoch, service.application("mme").epoch) == (0.0, 1, 1)
    assert found.downtime_seconds is not None
    assert found.rto_seconds is not None
    assert 0 < found.downtime_seconds < found.rto_seconds / 2, "the longest that one of them was down"
    ports = state_of(world, TARGET).ports.values()
    macs = {p["mac_address"] for p in ports if p["device_owner"].startswith("compute:")}
    assert macs == {deploy.mac("mme", n, i) for n in deploy.NETWORKS for i in (1, 2, 3)}
    assert world.problems(service.owners()) == []
    log = [seen for site in world.sites.values() for seen in site.script.log]
    assert [seen.call for seen in log if not seen.known] == [], "the simulation lacks these calls"


def test_moved_together_all_are_down_at_once(service: Service, point: str, watcher: Watcher) -> None:
    """The negative control of the watcher."""
    service.rest(begin_whole(service, point).job_id)
    assert watcher.most == len(NAMES)


def begin_whole(service: Service, point: str) -> Recovery:
    rules = {
        **RULES,
        "one_by_one": False,
        "networks": {f"mme-{n}": f"stretched-{n}" for n in deploy.NETWORKS},
    }
    return service.recoveries.start(service.caller, point, TARGET, rules, confirm="mme", purpose=Purpose.MOVE)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("error", "compute", "POST", "^/servers$", nth=2, status=403),
        Rule("error", "network", "POST", "/ports$", nth=3, status=403),
    ],
    ids=["boot", "port"],
)
def test_a_member_that_does_not_come_up_is_started_again_where_it_was(
    world: World, service: Service, point: str, watcher: Watcher, rule: Rule
) -> None:
    first, second, third = in_order(service.application("mme"))
    world.sites[TARGET].strike(rule)
    job, found = move(service, point)
    assert (job.state, found.state, rule.struck) == (JobState.PAUSED, "paused", 1), job.error
    assert "what was begun since was taken back: resume, or undo" in str(found.error)
    assert statuses(world) == {first: "SHUTOFF", second: "ACTIVE", third: "ACTIVE"}
    assert statuses(world, TARGET) == {first: "ACTIVE"}
    assert watcher.most == 1
    assert stopped(world, "os-start") == [second]
    points = {p.id: p.state for p in service.points()}
    assert sorted(points.values()) == ["available", "failed", "superseded"], (
        "of the member that was moved it is kept"
    )
    assert points[point] == "available"
    with pytest.raises(Conflict, match=f"its move to {TARGET} is paused"):
        service.protect("mme")
    job, found = service.resume(found.id)
    assert (job.state, found.state) == (JobState.DONE, "done"), job.error
    assert (watcher.most, lost(world)) == (1, dict.fromkeys(NAMES, 0))
    assert stopped(world) == [first, second, second, third]
    assert world.problems(service.owners()) == []


def test_undone_half_way_and_at_the_end_everybody_is_back(
    world: World, service: Service, point: str, watcher: Watcher
) -> None:
    order = in_order(service.application("mme"))
    before = site_facts(world.sites[TARGET].settle())
    started = begin(service, point, ask_between=True)
    service.rest(started.job_id)
    job, found = service.undo(started.id)
    assert (job.state, found.state) == (JobState.UNDONE, "undone"), job.error
    assert stopped(world, "os-start") == order[:1], "the others were never stopped"
    _, found = move(service, point)
    job, found = service.undo(found.id)
    assert (job.state, found.state) == (JobState.UNDONE, "undone"), job.error
    assert statuses(world) == dict.fromkeys(NAMES, "ACTIVE")
    assert stopped(world, "os-start")[1:] == order[::-1], "the last that was moved first"
    assert watcher.most == 1, "also on the way back"
    assert {**site_facts(world.sites[TARGET].settle()), "backups": ()} == {**before, "backups": ()}
    assert service.application("mme").epoch == 0
    assert {p.state for p in service.points() if p.id != point} == {"failed"}
    job, newer = service.protect("mme")
    assert (job.state, newer.parent_id) == (JobState.DONE, point), job.error
    assert world.problems(service.owners()) == []


def test_what_cannot_be_removed_at_the_target_keeps_the_original_off(
    world: World, service: Service, point: str, watcher: Watcher
) -> None:
    """Never twice: it is not started again while a copy of it may run."""
    first, second, _ = in_order(service.application("mme"))
    started = begin(service, point, ask_between=True)
    assert f"{first} moved: move {second}?" in str(service.rest(started.job_id).error)
    silent = Rule("error", "compute", "POST", "/action#os-getConsoleOutput$", status=403, times=99)
    stays = Rule("error", "compute", "DELETE", "^/servers/", status=403, times=99)
    for rule in (silent, stays):
        world.sites[TARGET].strike(rule)
    job = service.rest(service.recoveries.answer(service.caller, started.id, "yes").job_id)
    assert (job.state, silent.struck > 0, stays.struck > 0) == (JobState.PAUSED, True, True), job.error
    assert "could not be taken back" in str(job.error)
    assert statuses(world)[second] == "SHUTOFF"
    world.sites[TARGET].script.clear()
    job, found = service.resume(started.id)
    assert "move" in str(job.error), "it was taken back, tried again, and the next question comes"
    assert statuses(world, TARGET) == {first: "ACTIVE", second: "ACTIVE"}
    job = service.rest(service.recoveries.answer(service.caller, found.id, "").job_id)
    assert job.state is JobState.DONE, job.error
    assert (watcher.most, lost(world)) == (1, dict.fromkeys(NAMES, 0))


def test_between_two_members_it_waits_and_looks_at_those_that_were_moved(
    world: World, service: Service, point: str
) -> None:
    first, second, _ = in_order(service.application("mme"))
    started = begin(service, point, ask_between=True, pause_between=2)
    job = service.rest(started.job_id)
    assert job.state is JobState.PAUSED
    assert (statuses(world)[second], statuses(world, TARGET)) == ("ACTIVE", {first: "ACTIVE"})
    (waited,) = [step for step in job.steps if step.name == "pause@2"]
    assert (waited.elapsed or 0) > 0.5
    member = next(m for m in service.application("mme").members if m.server_name == first)
    action(service, member.server_id, "os-start")
    job = service.rest(service.recoveries.answer(service.caller, started.id, "yes").job_id)
    assert (job.state, f"server {first} is ACTIVE in {SITE}" in str(job.error)) == (JobState.PAUSED, True)
    assert statuses(world)[second] == "ACTIVE", "the next was not stopped"
    service.undone(started.id)
    assert statuses(world) == dict.fromkeys(NAMES, "ACTIVE")


def action(service: Service, server_id: str, what: str) -> None:
    ask(service.cloud(SITE).compute, "POST", f"/servers/{server_id}/action", {what: None}, NOVA)


def test_by_the_groups_of_a_plan_with_its_gates_and_questions(
    world: World, service: Service, point: str, watcher: Watcher
) -> None:
    gates = [{"kind": "console", "match": "GUEST-READY", "timeout": 60}]
    groups = [
        {"name": "data", "members": ["mme-2"], "gates": gates},
        {"name": "front", "members": ["mme-1", "mme-3"]},
    ]
    asks = {"name": "sure", "kind": "prompt", "when": "before-group", "group": "front", "question": "Go on?"}
    service.plans.create(service.owner(), "p", "mme", TARGET, mapping=RULES, groups=groups, hooks=[asks])
    started = service.recoveries.start(
        service.caller, point, None, {}, confirm="mme", plan="p", purpose=Purpose.MOVE
    )
    job = service.rest(started.job_id)
    assert (job.state, "Go on?: answer with" in str(job.error)) == (JobState.PAUSED, True), job.error
    assert statuses(world, TARGET) == {"mme-2": "ACTIVE"}
    assert stopped(world) == ["mme-2"]
    job = service.rest(service.recoveries.answer(service.caller, started.id, "yes").job_id)
    assert job.state is JobState.DONE, job.error
    ranks = {m.server_name: m.order for m in service.application("mme").members}
    assert stopped(world)[1:] == sorted(["mme-1", "mme-3"], key=ranks.__getitem__)
    assert watcher.most == 1
    service.undone(started.id)
    assert watcher.most == 1


def test_a_standby_goes_before_the_active_ones(world: World, service: Service) -> None:
    made = deploy.deploy(service.cloud(), "mme", 3, full=False)
    roles = zip(made.order, ("active", "active", "standby"), strict=True)
    servers = [{"id": id, "role": role} for id, role in roles]
    service.applications.create(service.owner(), "mme", SITE, servers)
    stretch(service)
    point = service.protect("mme")[1].id
    shown = service.recoveries.preview(service.caller, point, TARGET, RULES, purpose=Purpose.MOVE)
    order = in_order(service.application("mme"))
    turns = [item.name for item in shown.items if (item.kind, item.action) == ("server", "move")]
    assert turns == [order[2], *order[:2]]
    service.rest(begin(service, point).job_id)
    assert stopped(world) == turns


def test_members_that_would_be_parted_are_refused(service: Service) -> None:
    service.deploy("mme", 3, full=False)
    point = service.protect("mme")[1].id
    said = problems(service, point)
    for name in deploy.NETWORKS:
        assert f"network mme-{name}: it is in {SITE} alone" in said
        assert (
            f"openstack multisite network stretch mme-{name} --site {SITE} --site {TARGET} --adopt {SITE}="
            in said
        )
    assert problems(service, point, accept_split=True) == ""
    with pytest.raises(Conflict, match="would not reach the others over it"):
        service.recoveries.start(service.caller, point, TARGET, RULES, confirm="mme", purpose=Purpose.MOVE)


def test_remote_ports_hold_the_addresses(service: Service) -> None:
    """What stands for the ports at the source has their addresses at the target."""
    service.deploy("mme", 3, full=False)
    point = service.protect("mme")[1].id
    stretch(service, StretchKind.VXLAN)
    said = problems(service, point)
    assert "network mme-data: mme-data is stretched by remote ports" in said
    assert problems(service, point, accept_split=True) == said, "to accept a split does not help"
    assert problems(service, point, keep_addresses=False) == ""
    elsewhere = {"networks": {"mme-data": "another"}}
    assert "is not its part in" in problems(service, point, **elsewhere)


def test_an_odd_application_of_which_the_members_are_parted(world: World, service: Service) -> None:
    """With routers, a trunk, a virtual IP and all there is; its networks are made at the target."""
    service.deploy("mme", 3)
    point = service.protect("mme")[1].id
    watcher = Watcher(world)
    job, found = move(service, point, accept_split=True)
    assert job.state is JobState.DONE, job.error
    assert (watcher.most, watcher.twice, lost(world)) == (1, [], dict.fromkeys(NAMES, 0))
    service.undone(found.id)
    assert (watcher.most, statuses(world)) == (1, dict.fromkeys(NAMES, "ACTIVE"))
    assert world.problems(service.owners()) == []


def test_only_a_move_goes_one_by_one(service: Service, point: str) -> None:
    for purpose in (Purpose.DISASTER, Purpose.DRILL):
        with pytest.raises(Invalid, match=r"mapping\.one_by_one: only a move"):
            service.recoveries.preview(service.caller, point, TARGET, RULES, purpose=purpose)
    alone = {name: value for name, value in RULES.items() if name != "one_by_one"}
    for name in ("accept_split", "ask_between"):
        rules = {**alone, name: True}
        with pytest.raises(Invalid, match=rf"mapping\.{name}: .*give one_by_one"):
            service.recoveries.preview(service.caller, point, TARGET, rules, purpose=Purpose.MOVE)
