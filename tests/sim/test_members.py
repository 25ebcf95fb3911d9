"""Members chosen by a tag are those that have it at each run, and what changed is told."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.model import Application, Protection
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite_lab.sim.world import World
from tests.sim import deploy
from tests.sim.service import SITE, TARGET, Service

TAG = "vnf=mme"


@pytest.fixture
def made(service: Service) -> deploy.Deployed:
    return deploy.deploy(service.cloud(), "mme", 2)


@pytest.fixture
def application(service: Service, made: deploy.Deployed) -> Application:
    return service.applications.create(service.owner(), "mme", SITE, metadata_tag=TAG)


@pytest.fixture
def protection(service: Service, application: Application) -> Protection:
    return service.protections.create(service.caller, application.id, "consistent-backup", target_site=TARGET)


def scaled(service: Service, name: str, **metadata: str) -> str:
    site = service.cloud()
    disks = [deploy.volume(site, f"{name}-root", image=deploy.image(site))]
    wanted = {"vnf": "mme", "boot_order": "3"} | metadata
    server = deploy.server(site, name, deploy.flavor(site), disks, [], metadata=wanted)
    deploy.working(site, server)
    return server


def run(service: Service, protection: Protection) -> tuple[Job, tuple[str, ...]]:
    """The job, and the notes of its restore point about members."""
    job = service.rest(service.protections.run(service.owner(), protection.id))
    assert job.state is JobState.DONE, job.error
    point = next(p for p in service.points() if p.job_id == job.id)
    return job, service.manifests.read(point.id).notes


def test_a_server_that_gets_the_tag_is_a_member_and_one_that_loses_it_is_none(
    service: Service, world: World, made: deploy.Deployed, application: Application, protection: Protection
) -> None:
    _, notes = run(service, protection)
    assert notes == (), "nothing has changed"
    third = scaled(service, "mme-3", multisite_quiesce="no")
    del world.sites[SITE].settle().state.servers[made.servers[0]].metadata["vnf"]
    job, notes = run(service, protection)
    joined = f"server mme-3 ({third}) is a member from now on: it has vnf=mme"
    left = f"server mme-1 ({made.servers[0]}) is no member any more: it is gone, or no longer has vnf=mme"
    assert notes[:2] == (joined, left)
    told = [entry.message for entry in service.jobs.get(job.id).journal]
    assert [text for text in told if text in (joined, left)] == [joined, left]
    now = service.application("mme")
    assert [(m.server_id, m.order, m.quiesce) for m in now.members] == [
        (made.servers[1], 1, True),
        (third, 2, False),
    ]
    point = max(service.points(), key=lambda p: p.created_at)
    assert [s.id for s in service.manifests.read(point.id).servers] == [made.servers[1], third]
    shown = service.recoveries.preview(service.caller, point.id, TARGET).problems
    assert {joined, left} <= {problem.what for problem in shown}
    _, notes = run(service, protection)
    assert not [note for note in notes if "member" in note and "quiesce" not in note], "told once"


def test_order_and_name_are_those_of_now(
    service: Service, world: World, made: deploy.Deployed, protection: Protection
) -> None:
    servers = world.sites[SITE].settle().state.servers
    servers[made.servers[0]].metadata["boot_order"] = "9"
    servers[made.servers[1]].name = "standby"
    _, notes = run(service, protection)
    assert notes == (
        f"server mme-2 ({made.servers[1]}) is called standby now",
        "the boot order is standby, mme-1 now; it was mme-1, standby",
    )


def test_without_any_member_nothing_is_run(
    service: Service, world: World, made: deploy.Deployed, protection: Protection
) -> None:
    for server in made.servers:
        del world.sites[SITE].settle().state.servers[server].metadata["vnf"]
    with pytest.raises(Conflict, match=r"application mme: metadata_tag: no server .* has vnf=mme"):
        service.protections.run(service.owner(), protection.id)
    assert len(service.application("mme").members) == 2


def test_one_that_another_application_has_is_not_taken(
    service: Service, world: World, application: Application, protection: Protection
) -> None:
    third = scaled(service, "mme-3", vnf="other")
    service.applications.create(service.owner(), "other", SITE, [{"id": third}])
    world.sites[SITE].settle().state.servers[third].metadata["vnf"] = "mme"
    with pytest.raises(Conflict, match="mme-3 already belongs to application 'other'"):
        service.protections.run(service.owner(), protection.id)
    assert service.application("mme").members == application.members


def test_members_given_by_their_ids_stay(service: Service, made: deploy.Deployed) -> None:
    """The negative control."""
    chosen = [{"id": made.servers[0]}]
    application = service.applications.create(service.owner(), "chosen", SITE, chosen)
    protection = service.protections.create(
        service.caller, application.id, "consistent-backup", target_site=TARGET
    )
    scaled(service, "mme-3")
    _, notes = run(service, protection)
    assert notes == ()
    assert service.application("chosen").members == application.members
