"""Moves member by member over simulated sites: the others stay up, nothing is lost, a failure puts one member back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.model import Application, MemberRole, Purpose, Recovery
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


def stretch(service: Service, kind: StretchKind = StretchKind.VLAN, names: tuple[str, ...] = ("data", "mgmt")) -> None:
    """The application's networks have their part at the target."""
    sites = {site: service.cloud(site) for site in (SITE, TARGET)}
    rows = {n["name"]: n for n in ask(sites[SITE].network, "GET", "/networks")["networks"]}
    for name in names:
        here = rows[f"mme-{name}"]
        there = deploy.network(sites[TARGET], f"stretched-{name}", deploy.NETWORKS[name])
        parts = (Member(SITE, here["id"], project_id="p"), Member(TARGET, there, project_id="p"))
        made = StretchedNetwork(
            str(uuid.uuid4()), f"mme-{name}", "p", kind, StretchState.ACTIVE, deploy.NETWORKS[name], parts, 100
        )
        StretchedRepository(service.database).add(made)


def begin(service: Service, point: str, **rules: Any) -> Recovery:
    shown = service.recoveries.preview(service.caller, point, TARGET, RULES | rules, purpose=Purpose.MOVE)
    assert shown.startable, shown.problems
    return service.recoveries.start(
        service.caller, point, TARGET, RULES | rules, confirm="mme", preview=shown.digest, purpose=Purpose.MOVE
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
    return [names[str(s.subject)] for s in world.sites[site].script.log if s.path.endswith(f"action#{action}")]


def in_order(application: Application) -> list[str]:
    return [m.server_name for m in sorted(application.members, key=lambda m: m.order)]


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


def test_moved_together_all_are_down_at_once(
    service: Service, point: str, watcher: Watcher
) -> None:
    """The negative control of the watcher."""
    service.rest(begin_whole(service, point).job_id)
    assert watcher.most == len(NAMES)


def begin_whole(service: Service, point: str) -> Recovery:
    rules = {**RULES, "one_by_one": False, "networks": {f"mme-{n}": f"stretched-{n}" for n in deploy.NETWORKS}}
    return service.recoveries.start(
        service.caller, point, TARGET, rules, confirm="mme", purpose=Purpose.MOVE
    )
