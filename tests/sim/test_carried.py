"""Fields that were read and dropped come back: one test for each row, over one recovery of a full application."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from multisite.domain.findings import Severity
from multisite.domain.manifest import Manifest
from multisite.jobs.model import JobState
from multisite_lab.sim.model import Server, State
from multisite_lab.sim.world import make_world
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

LACKS = ("extra_dhcp_opt", "dns-integration", "dns-domain-ports", "subnet-dns-publish-fixed-ip")


@dataclass(frozen=True)
class Recovered:
    """``source`` and ``target``: what is in the sites."""

    manifest: Manifest
    source: State
    target: State

    @property
    def server(self) -> Server:
        (found,) = self.target.servers.values()
        return found

    def port(self, name: str) -> dict[str, Any]:
        return next(p for p in self.target.ports.values() if p["name"] == name)


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    with make_world() as world, running_service(tmp_path_factory.mktemp("carried"), world) as service:
        service.deploy("mme", servers=1)
        _, point = service.protect("mme")
        world.lose(SITE)
        job, _ = service.recover(point.id)
        assert job.state is JobState.DONE, job.error
        states = [world.sites[name].settle().state for name in (SITE, TARGET)]
        return Recovered(service.manifests.read(point.id), *states)


def test_a_disabled_port_comes_back_disabled(recovered: Recovered) -> None:
    assert not recovered.port("mme-1-mgmt")["admin_state_up"]
    assert recovered.port("mme-1-data")["admin_state_up"]


def test_extra_dhcp_options(recovered: Recovered) -> None:
    options = [{"opt_name": "26", "opt_value": "1300", "ip_version": 4}]
    assert recovered.port("mme-1-data")["extra_dhcp_opts"] == options
    assert recovered.port("mme-1-mgmt")["extra_dhcp_opts"] == []


def test_the_users_part_of_a_binding_profile(recovered: Recovered) -> None:
    assert recovered.port("mme-1-data")["binding:profile"] == {"trusted": "true"}
    assert recovered.port("mme-1-mgmt")["binding:profile"] == {}


def test_dns_names_and_domains(recovered: Recovered) -> None:
    """Nova gives a port its server's host name; another one is set afterwards."""
    assert recovered.port("mme-1-mgmt")["dns_name"] == "mme-oam"
    assert recovered.port("mme-1-data")["dns_name"] == "mme-1-host"
    assert recovered.port("mme-1-data")["dns_domain"] == "ports.example."
    domains = {n["name"]: n["dns_domain"] for n in recovered.target.networks.values()}
    assert domains == {"mme-data": "data.example.", "mme-mgmt": ""}
    published = {s["name"]: s["dns_publish_fixed_ip"] for s in recovered.target.subnets.values()}
    assert published == {"mme-data": True, "mme-mgmt": False}


def made_by_itself(row: dict[str, Any]) -> bool:
    """A router's port is made, and goes, with its router."""
    return row["name"].startswith("mme") and not row.get("device_owner", "").startswith("network:")


@pytest.mark.parametrize(
    ("kind", "tags"),
    [("networks", {"red", "green"}), ("subnets", {"red", "green"}), ("security_groups", {"red", "green"}),
     ("ports", {"fast", "blue"}), ("trunks", {"red", "green"})],
)  # fmt: skip
def test_tags_beside_the_token(recovered: Recovered, kind: str, tags: set[str]) -> None:
    rows = [row for row in getattr(recovered.target, kind).values() if made_by_itself(row)]
    assert rows
    for row in rows:
        ours = {tag for tag in row["tags"] if tag.startswith("multisite:")}
        assert len(ours) == 1, "by which an undo finds it"
        assert set(row["tags"]) - ours == (set() if row["name"] == "mme-1-mgmt" else tags)


def test_the_description_of_a_volume_and_that_it_is_read_only(recovered: Recovered) -> None:
    volumes = {v.name: v for v in recovered.target.volumes.values()}
    assert {v.description for v in volumes.values()} == {"disk of mme"}
    assert {name: v.read_only for name, v in volumes.items()} == {"mme-1-root": False, "mme-1-data": True}


def test_a_locked_server_is_locked_again_for_the_same_reason(recovered: Recovered) -> None:
    assert (recovered.server.locked, recovered.server.locked_reason) == (True, "in service")


def test_device_role_tags_of_disks_and_nics(recovered: Recovered) -> None:
    names = {v.id: v.name for v in recovered.target.volumes.values()}
    disks = {names[d.volume_id]: d.tag for d in recovered.server.disks}
    assert disks == {"mme-1-root": None, "mme-1-data": "database"}
    assert recovered.server.nic_tags == {recovered.port("mme-1-data")["id"]: "traffic"}


def test_nothing_of_it_is_told_as_lost(recovered: Recovered) -> None:
    assert recovered.manifest.notes == ()


def test_where_neutron_lacks_the_extensions_it_is_told_and_done_without(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("lacking")
    with make_world() as world, running_service(folder, world) as service:
        sim = world.sites[TARGET].sim
        sim.settings = replace(sim.settings, lacks=LACKS)
        service.deploy("mme", servers=1)
        _, point = service.protect("mme")
        world.lose(SITE)
        preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
        assert preview.startable
        told = [
            p for p in preview.problems if p.severity is Severity.NOTE and "lacks the extension" in p.what
        ]
        assert {alias for p in told for alias in LACKS if p.what.endswith(alias)} == set(LACKS)
        job, _ = service.recover(point.id)
        assert job.state is JobState.DONE, job.error
        assert_without(service)


def assert_without(service: Service) -> None:
    rows = service.cloud(TARGET).network.get("/ports").json()["ports"]
    assert len([row for row in rows if made_by_itself(row)]) == 3
    assert all("extra_dhcp_opts" not in row for row in rows)
