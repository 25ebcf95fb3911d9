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
from multisite_lab.sim.model import Server, Sim
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import Deployed
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
