"""What a step would be refused is an obstacle of the preview, and what the preview lets pass is carried out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from multisite.domain.findings import Finding, blockers
from multisite.jobs.model import JobState
from multisite_lab.sim import site as sim_site
from multisite_lab.sim.model import HostSize, Server, Sim
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import CINDER, NOVA, Deployed, ask
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service


@dataclass(frozen=True)
class Protected:
    """An application of two servers, whose site is there until it is lost."""

    world: World
    service: Service
    made: Deployed

    @property
    def source(self) -> Sim:
        return self.world.sites[SITE].settle()

    @property
    def target(self) -> Sim:
        return self.world.sites[TARGET].settle()

    def point(self) -> str:
        """Of what is there now; the site is lost."""
        job, point = self.service.protect("mme")
        assert job.state is JobState.DONE, job.error
        self.world.lose(SITE)
        return point.id

    def said(self, point: str, **mapping: Any) -> list[Finding]:
        preview = self.service.recoveries.preview(self.service.caller, point, TARGET, MAPPING | mapping)
        return list(preview.problems)

    def obstacle(self, point: str, **mapping: Any) -> Finding:
        """The only one."""
        (found,) = blockers(self.said(point, **mapping))
        return found

    def recovered(self, point: str, **mapping: Any) -> dict[str, Server]:
        """The servers at the target by their names."""
        assert blockers(self.said(point, **mapping)) == ()
        job, _ = self.service.recover(point, **mapping)
        assert job.state is JobState.DONE, job.error
        return {server.name: server for server in self.target.state.servers.values()}


@pytest.fixture
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("asks"), world) as service:
        yield Protected(world, service, service.deploy("mme", full=False))


QUOTAS = (
    *("key_pairs", "metadata_items", "server_group_members", "server_groups", "per_volume_gigabytes"),
    *("security_group", "security_group_rule", "backups", "backup_gigabytes"),
)


@pytest.mark.parametrize("resource", QUOTAS)
def test_what_the_remedy_of_a_quota_says_is_enough_and_no_less_is(
    protected: Protected, resource: str
) -> None:
    point, quotas = protected.point(), protected.target.quotas
    quotas[resource] = 0
    found = protected.obstacle(point)
    assert found.kind == f"quota {resource}"
    command = shlex.split(found.remedy.partition(": ")[2])
    assert command[:3] == ["openstack", "quota", "set"]
    enough = int(command[4])
    quotas[resource] = enough - 1
    assert protected.obstacle(point).kind == f"quota {resource}"
    quotas[resource] = enough
    protected.recovered(point)


def named(protected: Protected, *names: tuple[str, str]) -> None:
    """Give the servers names and host names."""
    for server, (name, host) in zip(protected.source.state.servers.values(), names, strict=True):
        server.name, server.hostname = name, host


def test_host_names_that_nova_shows_and_does_not_take(protected: Protected) -> None:
    named(protected, ("a", "a"), ("Ünï_code", "ünï-code"))
    found = protected.recovered(protected.point())
    assert {name: server.hostname for name, server in found.items()} == {"a": "a", "Ünï_code": "ünï-code"}


def test_a_host_name_with_dots(protected: Protected, monkeypatch: pytest.MonkeyPatch) -> None:
    named(protected, ("one", "a.b.c"), ("two", "two"))
    point = protected.point()
    older: Any = tuple(replace(s, high=(2, 93)) if s.name == "compute" else s for s in sim_site.SERVICES)
    with monkeypatch.context() as patch:
        patch.setattr(sim_site, "SERVICES", older)
        protected.service.clouds.drop(TARGET)
        assert "'a.b.c' cannot be asked for" in protected.obstacle(point).what
    protected.service.clouds.drop(TARGET)
    assert protected.recovered(point)["one"].hostname == "a.b.c"


def test_a_server_group_with_more_members_than_hosts(protected: Protected) -> None:
    for group in protected.source.state.server_groups.values():
        group["policy"] = "anti-affinity"
    point, target = protected.point(), protected.world.sites[TARGET].sim
    found = protected.obstacle(point)
    assert (found.kind, "has 1 compute host up" in found.what) == ("server group mme", True)
    body = {"server_group": {"name": "softer", "policy": "soft-anti-affinity"}}
    ask(protected.service.cloud(TARGET).compute, "POST", "/os-server-groups", body, NOVA)
    protected.recovered(point, server_groups={"mme": "softer"})
    assert {server.host for server in target.state.servers.values()} == {TARGET}


def test_a_server_group_with_a_host_for_each_member(protected: Protected) -> None:
    """The negative control of the simulated scheduler, too: with one host it would have found none."""
    for group in protected.source.state.server_groups.values():
        group["policy"] = "anti-affinity"
    point, target = protected.point(), protected.world.sites[TARGET].sim
    target.settings = replace(target.settings, hosts={"one": "nova", "two": "nova"})
    assert {server.host for server in protected.recovered(point).values()} == {"one", "two"}


def test_a_server_group_without_a_host_for_all_its_members(
    protected: Protected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the negative control, of the simulated scheduler, too: a recovery that nobody asks for room finds none."""
    for group in protected.source.state.server_groups.values():
        group["policy"] = "affinity"
    point, target = protected.point(), protected.world.sites[TARGET].sim
    target.settings = replace(target.settings, host_sizes={TARGET: HostSize(vcpus=1)})
    found = protected.obstacle(point)
    assert (found.kind, "so one host takes all its 2 servers" in found.what) == ("server group mme", True)
    with monkeypatch.context() as patch:
        patch.setattr("multisite.recovery.recover.affinity.check_room_for_all", lambda *_: None)
        job, recovery = protected.service.recover(point)
        assert (job.state, "No valid host" in (job.error or "")) == (JobState.PAUSED, True)
        job, _ = protected.service.undo(recovery.id)
        assert job.state is JobState.UNDONE, job.error
    target.settings = replace(target.settings, host_sizes={TARGET: HostSize(vcpus=2)})
    protected.recovered(point)


def test_a_private_volume_type(protected: Protected) -> None:
    for volume in protected.source.state.volumes.values():
        volume.volume_type = "gold"
    point, target = protected.point(), protected.target
    body = {"volume_type": {"name": "gold", "os-volume-type-access:is_public": False}}
    cloud = protected.service.cloud(TARGET)
    gold = ask(cloud.volume, "POST", "/types", body, CINDER)["volume_type"]["id"]
    found = blockers(protected.said(point))
    assert {"is private and not for the project" in f.what for f in found} == {True}
    command = f"openstack volume type set --project {target.accounts[0].project_id} gold"
    assert {f.remedy.partition(";")[0] for f in found} == {f"let the project use it: {command}"}
    access = {"addProjectAccess": {"project": target.accounts[0].project_id}}
    ask(cloud.volume, "POST", f"/types/{gold}/action", access, CINDER)
    protected.recovered(point)
    assert {volume.volume_type for volume in protected.target.state.volumes.values()} == {"gold"}


def zoned(protected: Protected, **settings: Any) -> str:
    """A restore point of servers that were asked into az-east; at the target cross_az_attach is off."""
    for server in protected.source.state.servers.values():
        server.pinned_zone = server.availability_zone = "az-east"
    for volume in protected.source.state.volumes.values():
        volume.availability_zone = "az-east"
    target = protected.world.sites[TARGET].sim
    hosts = {"one": "az-east", "two": "nova"}
    target.settings = replace(target.settings, hosts=hosts, cross_az_attach=False, **settings)
    return protected.point()


def test_volumes_are_restored_in_the_zone_of_their_servers(protected: Protected) -> None:
    point = zoned(protected, volume_zones=("nova", "az-east"))
    assert {s.host for s in protected.recovered(point).values()} == {"one"}
    assert {v.availability_zone for v in protected.target.state.volumes.values()} == {"az-east"}


def test_a_zone_that_cinder_lacks_is_told_and_mapped(protected: Protected) -> None:
    point = zoned(protected)
    (told,) = (f for f in protected.said(point) if "cross_az_attach" in f.what)
    assert "--map availability-zone:az-east=..." in told.remedy
    mapping = {"availability_zones": {"az-east": "nova"}}
    assert {s.host for s in protected.recovered(point, **mapping).values()} == {"two"}


def test_a_zone_that_cinder_lacks_fails_where_it_was_not_mapped(protected: Protected) -> None:
    """The negative control: that the preview tells it has its reason."""
    job, _ = protected.service.recover(zoned(protected))
    assert job.state is JobState.PAUSED
    assert "not in the same availability zone" in (job.error or "")
