"""What is done for a tenant is done in the tenant's own project of each site, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from multisite.clouds.call import call, read_all
from multisite.clouds.connect import Sites
from multisite.clouds.errors import NotGranted
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, NotFound
from multisite.jobs.model import JobState
from multisite.sites.grants import ProjectGrantService
from multisite_lab.sim.model import Row
from multisite_lab.sim.world import OTHER, World, make_world
from tests.sim import deploy
from tests.sim.outcome import compare_data
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

BOB = Caller("bob", "bob", "project-of-bob", "bobs", frozenset({"member"}), "req-b", "Default")
ADMIN = replace(BOB, user_name="olga", roles=frozenset({"admin"}))


@pytest.fixture
def world() -> Iterator[World]:
    """Two sites in which the service's account has a role in the project of another tenant, too."""
    with make_world((SITE, TARGET)) as made:
        for name in (SITE, TARGET):
            sim = made.sites[name].sim
            tenant = next(account for account in sim.accounts if account.project_name == OTHER)
            sim.accounts += (replace(sim.accounts[0], project_id=tenant.project_id, project_name=OTHER),)
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world, granted=True) as made:
        yield made


def tenants_project(world: World, site: str) -> str:
    return next(a.project_id for a in world.sites[site].sim.accounts if a.project_name == OTHER)


def grant(service: Service, world: World, *names: str) -> ProjectGrantService:
    grants = ProjectGrantService(service.grants, service.clouds)
    for site in names:
        grants.create(ADMIN, BOB.project_id, site, tenants_project(world, site))
    return grants


def made_in(world: World, site: str) -> dict[str, set[str]]:
    """The projects that have something there, by kind; networks and the like that the site came with are left out."""
    state = world.sites[site].sim.state
    kinds = (
        "servers",
        "volumes",
        "snapshots",
        "backups",
        "networks",
        "ports",
        "security_groups",
        "server_groups",
    )
    return {kind: {_owner(item) for item in getattr(state, kind).values()} for kind in kinds}


def _owner(item: Row | object) -> str:
    return str(item["project_id"] if isinstance(item, dict) else item.project_id)  # type: ignore[attr-defined]


def bobs_application(service: Service, world: World) -> None:
    own = Sites(lambda name: f"{name}-other", config_file=service.folder / "clouds.yaml")
    made = deploy.deploy(own.open_for_service(SITE), "pgw", 2)
    service.applications.create(BOB, "pgw", SITE, [{"id": server} for server in made.servers])


def test_a_tenants_application_stays_the_tenants(world: World, service: Service) -> None:
    grant(service, world, SITE, TARGET)
    before = made_in(world, TARGET)
    bobs_application(service, world)
    protection = service.protections.create(
        BOB, "pgw", "consistent-backup", target_site=TARGET, options={"freeze_timeout": 30}
    )
    job = service.rest(service.protections.run(BOB, protection.id))
    assert job.state is JobState.DONE, job.error
    (point,) = service.protections.restore_points(BOB)
    here = tenants_project(world, SITE)
    assert {kind: owners for kind, owners in made_in(world, SITE).items() if owners - {here}} == {}
    world.lose(SITE)
    started = service.recoveries.start(BOB, point.id, TARGET, MAPPING, confirm="pgw")
    assert service.rest(started.job_id).state is JobState.DONE
    there = tenants_project(world, TARGET)
    made = {kind: owners - before[kind] for kind, owners in made_in(world, TARGET).items()}
    assert {kind for kind, owners in made.items() if owners} >= {"servers", "volumes", "ports", "networks"}
    assert {kind: owners for kind, owners in made.items() if owners - {there}} == {}
    found = compare_data(world.sites[TARGET].settle(), service.manifests.read(point.id))
    assert set(found.values()) == {"consistent, no mark"}


def test_without_a_grant_nothing_is_done(world: World, service: Service) -> None:
    grant(service, world, SITE)
    bobs_application(service, world)
    protection = service.protections.create(
        BOB, "pgw", "consistent-backup", target_site=TARGET, options={"freeze_timeout": 30}
    )
    assert service.rest(service.protections.run(BOB, protection.id)).state is JobState.DONE
    (point,) = service.protections.restore_points(BOB)
    before = made_in(world, TARGET)
    with pytest.raises(NotGranted, match="openstack multisite project grant create"):
        service.recoveries.preview(BOB, point.id, TARGET, MAPPING)
    assert made_in(world, TARGET) == before


def test_a_grant_that_is_taken_back_is_over_at_once(world: World, service: Service) -> None:
    grants = grant(service, world, SITE)
    bobs_application(service, world)
    (known,) = grants.list(BOB)
    grants.delete(ADMIN, known.id)
    with pytest.raises(NotGranted):
        service.applications.create(BOB, "again", SITE, metadata_tag="vnf=pgw")


def test_a_change_is_not_sent_after_the_grant_was_taken_back(world: World, service: Service) -> None:
    grants = grant(service, world, SITE)
    cloud = service.clouds.open(SITE, for_project=BOB.project_id)
    first = deploy.network(cloud, "first", "10.7.1.0/24")
    (known,) = grants.list(BOB)
    grants.delete(ADMIN, known.id)
    with pytest.raises(NotGranted, match="openstack multisite project grant create project-of-bob site1"):
        call(cloud, "create a network", lambda: cloud.network.post("/networks", json={"network": {}}))
    found = read_all(cloud, "list networks", lambda: cloud.network, "/networks", "networks")
    assert first in {row["id"] for row in found}, "what only reads goes on"
    grants.create(ADMIN, BOB.project_id, SITE, tenants_project(world, SITE))
    again = service.clouds.open(SITE, for_project=BOB.project_id)
    deploy.network(again, "again", "10.7.2.0/24")


def test_a_project_without_a_role_for_our_account_is_not_granted(world: World, service: Service) -> None:
    sim = world.sites[TARGET].sim
    sim.accounts = sim.accounts[:-1]
    with pytest.raises(Conflict, match="openstack role add"):
        grant(service, world, TARGET)
    assert service.grants.list() == []


def test_two_projects_are_never_one(world: World, service: Service) -> None:
    grants = grant(service, world, SITE)
    there = tenants_project(world, SITE)
    for project in (BOB.project_id, "alice"):
        with pytest.raises(Conflict, match=r"^site_project_id: .* has a grant for site site1 already"):
            grants.create(ADMIN, project, SITE, there)
    assert grants.list(replace(BOB, project_id="alice")) == []
    with pytest.raises(NotFound):
        grants.get(replace(BOB, project_id="alice"), grants.list(BOB)[0].id)
