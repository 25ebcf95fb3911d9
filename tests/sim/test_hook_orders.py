"""Hooks of kind openstack over simulated sites: what Nova is let do with recovered members, once, and as a member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from multisite.domain.model import Recovery
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Server
from multisite_lab.sim.world import World, make_world
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

FENCED = {"source_is_fenced": True}
KEPT = {name: value for name, value in MAPPING.items() if name not in FENCED}
GROUPS = [{"name": "data", "members": ["mme-2"]}, {"name": "front", "members": ["mme-1"]}]
REBOOT = {
    "name": "again", "kind": "openstack", "when": "after-recovery", "action": "server-reboot", "members": ["mme-1"]
}  # fmt: skip
Lost = tuple[World, Service, str]


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("orders"), world) as service:
        service.deploy("mme", full=False)
        job, point = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=KEPT, groups=GROUPS)
        world.lose(SITE)
        yield world, service, point.id


@pytest.fixture(autouse=True)
def _no_faults(lost: Lost) -> Iterator[None]:
    yield
    lost[0].sites[TARGET].script.clear()


def recover(lost: Lost, *hooks: dict[str, Any]) -> tuple[Job, Recovery]:
    _, service, point = lost
    (plan,) = service.plans.list(service.caller)
    service.plans.update(service.caller, plan.id, {"hooks": list(hooks)})
    made = service.recoveries.start(service.caller, point, None, FENCED, confirm="mme", plan="by-day")
    return service.rest(made.job_id), service.recoveries.get(service.caller, made.id)


def servers(lost: Lost) -> dict[str, Server]:
    return {server.name: server for server in lost[0].sites[TARGET].settle().state.servers.values()}


def actions(server: Server) -> list[str]:
    return [row["action"] for row in server.actions]


def test_members_get_what_the_plan_says_and_the_others_do_not(lost: Lost) -> None:
    world, service, _ = lost
    job, found = recover(
        lost,
        {"name": "mark", "kind": "openstack", "when": "after-group", "group": "data", "action": "server-metadata",
         "metadata": {"recovered": "yes"}},
        REBOOT,
        {"name": "tag", "kind": "openstack", "when": "after-recovery", "action": "server-tags", "tags": ["back"]},
        {"name": "off", "kind": "openstack", "when": "after-recovery", "action": "server-stop", "members": ["mme-2"]},
    )  # fmt: skip
    assert job.state is JobState.DONE, job.error
    there = servers(lost)
    assert there["mme-2"].metadata["recovered"] == "yes"
    assert "recovered" not in there["mme-1"].metadata, "it was not ready then"
    assert there["mme-2"].metadata["multisite_epoch"] == str(found.epoch), "other items stay"
    assert all("back" in server.tags for server in there.values())
    assert (there["mme-1"].status, there["mme-2"].status) == ("ACTIVE", "SHUTOFF")
    assert (actions(there["mme-1"]).count("reboot"), actions(there["mme-2"]).count("reboot")) == (1, 0)
    said = [line.message for line in job.journal]
    assert "hook again: server-reboot: mme-1" in said
    assert "hook tag: server-tags: mme-2, mme-1" in said, "in the order in which they boot"
    service.undone(found.id)
    assert wrong(world, service) == []


def test_what_nova_refuses_pauses_the_recovery(lost: Lost) -> None:
    world, service, _ = lost
    world.sites[TARGET].strike(Rule("error", "compute", "POST", "/action#reboot$", status=403))
    job, found = recover(lost, REBOOT)
    assert job.state is JobState.PAUSED
    assert "reboot server" in str(job.error)
    assert actions(servers(lost)["mme-1"]).count("reboot") == 0
    job, found = service.resume(found.id)
    assert job.state is JobState.DONE, job.error
    assert actions(servers(lost)["mme-1"]).count("reboot") == 1
    service.undone(found.id)
    assert wrong(world, service) == []


def test_a_reboot_whose_answer_was_lost_is_not_ordered_again(lost: Lost) -> None:
    world, service, _ = lost
    world.sites[TARGET].strike(Rule("lost", "compute", "POST", "/action#reboot$", nth=1))
    job, found = recover(lost, REBOOT)
    assert (job.state, "may have taken effect" in str(job.error)) == (JobState.PAUSED, True), job.error
    job, found = service.resume(found.id)
    assert job.state is JobState.DONE, job.error
    assert actions(servers(lost)["mme-1"]).count("reboot") == 1
    service.undone(found.id)
    assert wrong(world, service) == []


def test_a_plan_may_go_on_without_it(lost: Lost) -> None:
    world, service, _ = lost
    world.sites[TARGET].strike(Rule("error", "compute", "POST", "/action#reboot$", status=403, times=9))
    job, found = recover(lost, REBOOT | {"on_failure": "continue"})
    assert job.state is JobState.DONE, job.error
    assert any("hook again failed; the plan goes on: " in line.message for line in job.journal)
    service.undone(found.id)
    assert wrong(world, service) == []
