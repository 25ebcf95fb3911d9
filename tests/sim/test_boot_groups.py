"""Groups of a recovery plan, over simulated sites: in order, at the same time within one, behind real gates."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from multisite.domain.model import RecoveryState
from multisite.jobs.model import JobState, StepState
from multisite.recovery.plans.outside import outside
from multisite_lab.sim.nova.quiesce import agent
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

KEPT = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}
FENCED = {"source_is_fenced": True}
LOOPBACK = "127.30.0.0/24"
"""The target's network: what listens on this machine is at the addresses of its servers."""


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Service, str]]:
    """An application of three servers whose site is lost, and its restore point."""
    folder = tmp_path_factory.mktemp("groups")
    with make_world() as world, running_service(folder, world, outside=outside([LOOPBACK])) as service:
        made = service.deploy("mme", servers=3)
        job, point = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        first = service.cloud(SITE).network.get_network(made.networks[0]).name
        loop = deploy.network(service.cloud(TARGET), "loop", LOOPBACK)
        mapping = KEPT | {"networks": {first: loop}, "keep_addresses": False}
        service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=mapping)
        world.lose(SITE)
        yield world, service, point.id


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Bound, and not listening yet."""
    with socket.socket() as made:
        made.bind(("0.0.0.0", 0))
        yield made


def _start(service: Service, point: str, groups: list[dict[str, object]]) -> str:
    (plan,) = service.plans.list(service.caller)
    service.plans.update(service.caller, plan.id, {"groups": groups})
    started = service.recoveries.start(service.caller, point, None, FENCED, confirm="mme", plan="by-day")
    return started.id


def _groups(port: int, **gate: object) -> list[dict[str, object]]:
    gates = [{"kind": "port", "port": port, "timeout": 5} | gate, {"kind": "agent", "timeout": 5}]
    return [
        {"name": "data", "members": ["mme-2", "mme-3"], "gates": gates},
        {"name": "front", "members": ["mme-1"]},
    ]


def test_a_gate_holds_the_next_group_until_it_is_passed(
    lost: tuple[World, Service, str], listener: socket.socket
) -> None:
    world, service, point = lost
    recovery = _start(service, point, _groups(listener.getsockname()[1]))
    job = service.rest(service.recoveries.get(service.caller, recovery).job_id)
    assert job.state is JobState.PAUSED
    assert "refused: nothing listens there yet: resume when it is, or undo" in str(job.error)
    steps = {step.name: step for step in job.steps}
    assert steps["boot-group-1"].state is StepState.SKIPPED
    names = {row.name for row in world.sites[TARGET].settle().state.servers.values()}
    assert names == {"mme-2", "mme-3"}, "the gate failed: nobody of the next group was made"

    listener.listen()
    job, shown = service.resume(recovery)
    assert job.state is JobState.DONE, job.error
    at = {step.name: step for step in job.steps}
    boots = {step.title: step for step in job.steps if step.title.startswith("Boot server")}
    assert boots["Boot server mme-1"].started_at >= at["boot-group-1"].ended_at  # type: ignore[operator]
    assert boots["Boot server mme-3"].started_at < at["boot-group-1"].ended_at  # type: ignore[operator]
    assert shown.state is RecoveryState.DONE
    service.undone(recovery)
    assert wrong(world, service) == []


def test_a_gate_may_be_passed_over_and_an_agent_may_be_late(
    lost: tuple[World, Service, str], listener: socket.socket
) -> None:
    world, service, point = lost
    groups = _groups(listener.getsockname()[1], timeout=1, on_failure="continue")
    recovery = _start(service, point, groups)
    hurt = threading.Event()

    def hurt_agent() -> None:
        while not hurt.wait(0.05):
            sim = world.sites[TARGET].sim
            for server in list(sim.state.servers.values()):
                if server.name == "mme-3":
                    agent(sim, server, "dead")
                    threading.Timer(2.0, agent, (sim, server, "ok")).start()
                    return

    watching = threading.Thread(target=hurt_agent)
    watching.start()
    job = service.rest(service.recoveries.get(service.caller, recovery).job_id)
    hurt.set()
    watching.join()
    assert job.state is JobState.DONE, job.error
    told = [line.message for line in job.journal if "was not passed; the plan goes on" in line.message]
    assert len(told) == 2
    frozen = [s.freeze.state for s in world.sites[TARGET].settle().state.servers.values() if s.freeze]
    assert set(frozen) <= {"thawed"}, "what was frozen to hear of its agent is thawed"
    service.undone(recovery)
