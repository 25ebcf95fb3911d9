"""Protections created without a method, over the API: what both sites have decides, and the answer says why."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from multisite.api.app import create_app
from multisite.domain.model import Application
from multisite.jobs.model import JobState
from multisite.recovery.service import PolicyService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim import deploy
from tests.sim.mirror import simulated_mirrors
from tests.sim.service import SITE, TARGET, Service, running_service


class Choosing:
    """The API over the service, asked by the application's owner."""

    def __init__(self, service: Service) -> None:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        self.service = service
        self.policies = PolicyService(service.database, service.protections)
        given: Any = SimpleNamespace(
            protections=service.protections, policies=self.policies, audit=service.audit,
            staleness=service.staleness, recoveries=service.recoveries,
        )  # fmt: skip
        self.client: FlaskClient = create_app(given, conf, auth=False).test_client()

    def ask(self, path: str = "", **body: Any) -> tuple[int, Any]:
        owner = self.service.owner()
        headers = {
            "X-User-Id": "u",
            "X-User-Name": "olga",
            "X-Roles": "member",
            "X-Project-Id": owner.project_id,
        }
        asked = {"application": "mme", "target_site": TARGET} | body
        answer = self.client.post(f"/v1/protections{path}", json=asked, headers=headers)
        return answer.status_code, answer.json

    def preview(self, **body: Any) -> dict[str, Any]:
        status, found = self.ask("/preview", **body)
        assert status == 200, found
        shown: dict[str, Any] = found
        return shown

    def error(self, **body: Any) -> str:
        status, found = self.ask(**body)
        assert status == 409, found
        assert self.service.protections.list(self.service.caller) == [], "nothing was made"
        return str(found)

    def possible(self, **body: Any) -> dict[str, str]:
        return {offer["method"]: offer["possible"] for offer in self.preview(**body)["offers"]}


@pytest.fixture
def ordinary(service: Service) -> Choosing:
    """Every server boots from a volume, multisite-nova is there, no storage replicates."""
    service.deploy("mme", full=False)
    return Choosing(service)


@pytest.fixture
def mirrored(world: World, tmp_path: Any) -> Iterator[Choosing]:
    with running_service(tmp_path, world, mirrors=simulated_mirrors(world)) as service:
        service.deploy("mme", full=False)
        yield Choosing(service)


def of_images(service: Service) -> Application:
    members = [{"id": id} for id in deploy.deploy_for_images(service.cloud(), "mme")]
    return service.applications.create(service.owner(), "mme", SITE, members)


def test_an_ordinary_application_gets_consistent_backups(ordinary: Choosing) -> None:
    shown = ordinary.preview()
    assert shown["method"] == "consistent-backup"
    assert ordinary.service.protections.list(ordinary.service.caller) == [], "a preview makes nothing"
    status, made = ordinary.ask()
    assert (status, made["method"], made["choice"]["method"]) == (
        201,
        "consistent-backup",
        "consistent-backup",
    )
    why = made["choice"]["why"]
    assert "consistent across the application's servers" in why
    assert "volume-replication would come before it and is not possible" in why
    assert "[replication] backends" in why, "the remedy"


def test_servers_of_images_get_instance_snapshots(world: World, service: Service) -> None:
    of_images(service)
    status, made = Choosing(service).ask()
    assert (status, made["method"]) == (201, "instance-snapshot"), made
    assert "each server consistent by itself" in made["choice"]["why"]
    assert "mme-local: it does not boot from a volume" in made["choice"]["why"]


def test_storages_that_replicate_are_used(mirrored: Choosing) -> None:
    status, made = mirrored.ask()
    assert (status, made["method"]) == (201, "volume-replication"), made
    job = mirrored.service.rest(mirrored.service.protections.run(mirrored.service.caller, made["id"]))
    assert job.state is JobState.DONE, "what was chosen works"


def test_a_method_that_is_named_is_not_questioned(mirrored: Choosing) -> None:
    """The negative control: the same sites, and another method because it was named."""
    status, made = mirrored.ask(method="consistent-backup")
    assert (status, made["method"], made["choice"]) == (201, "consistent-backup", None)


def test_a_site_that_does_not_answer_is_no_reason_to_choose(world: World, mirrored: Choosing) -> None:
    world.lose(TARGET)
    assert mirrored.possible() == dict.fromkeys(
        ("volume-replication", "consistent-backup", "instance-snapshot"), "unknown"
    )
    said = mirrored.error()
    assert "--method" in said
    assert f"site {TARGET}" in said
    status, made = mirrored.ask(method="consistent-backup")
    assert (status, made["choice"]) == (201, None), "named, it needs no guess"


def test_without_the_freeze_each_server_by_itself(world: World, service: Service) -> None:
    """multisite-nova is missing: what freezes across servers is not possible, unless nothing is to be frozen."""
    service.deploy("mme", full=False)
    missing = Rule("error", "compute", "GET", "/os-multisite-quiesce$", times=99, status=404)
    world.sites[SITE].strike(missing)
    choosing = Choosing(service)
    assert choosing.possible()["consistent-backup"] == "no"
    assert choosing.preview()["method"] == "instance-snapshot"
    assert choosing.preview(options={"quiesce": False})["method"] == "consistent-backup"


def test_no_method_is_possible_and_each_says_why(world: World, service: Service) -> None:
    of_images(service)
    for row in world.sites[SITE].settle().state.servers.values():
        row.status = "ERROR"
    said = Choosing(service).error()
    for method in ("volume-replication", "consistent-backup", "instance-snapshot"):
        assert f"{method}: " in said
    assert "server mme-local: it is ERROR" in said


def test_options_that_no_method_has_are_refused(ordinary: Choosing) -> None:
    assert ordinary.ask(options={"color": "red"})[0] == 400
    status, answer = ordinary.ask(options={"freeze_timeout": 1})
    assert status == 400
    assert "options.freeze_timeout" in str(answer)
    offers = {offer["method"]: offer for offer in ordinary.preview(options={"freeze_timeout": 30})["offers"]}
    assert "no such option of instance-snapshot" in str(offers["instance-snapshot"]["findings"])


def test_figures_are_those_of_earlier_runs_and_recoveries(ordinary: Choosing, world: World) -> None:
    service = ordinary.service
    before = ordinary.preview()["offers"][1]
    assert (before["rpo"]["low_seconds"], before["rto"]["high_seconds"]) == (None, None), (
        "unknown is not zero"
    )
    assert service.protect("mme")[0].state is JobState.DONE
    point = service.points()[0]
    job, recovery = service.recover(point.id)
    assert job.state is JobState.DONE, job.error
    service.undone(recovery.id)
    assert ordinary.preview()["offers"][1]["rto"]["low_seconds"] is None, "an undone one tells nothing"
    service.recover(point.id)
    policy = ordinary.policies.create(service.owner(), "gold", schedules=[{"interval_seconds": 3600}])
    after = ordinary.preview(policy=policy.id)["offers"][1]
    rpo, rto = after["rpo"], after["rto"]
    assert 3600 <= rpo["high_seconds"] < 3600 + 60
    assert "from 1 past runs" in rpo["basis"]
    assert "every 3600 s by policy gold" in rpo["basis"]
    assert 0 < rto["low_seconds"] <= rto["high_seconds"]
    assert any(one["kind"] == "frozen" for one in after["findings"])
