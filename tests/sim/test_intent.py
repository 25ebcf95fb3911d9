"""What Nova says decides, not what looks like it: the order of NICs, the root disk, zones, and who was shut off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest

from multisite.clouds.facts.application import read_application
from multisite.domain.findings import Severity
from multisite.domain.manifest import Manifest
from multisite.domain.model import Preview
from multisite.jobs.model import JobState
from multisite_lab.sim import site as sim_site
from multisite_lab.sim.model import Server, State
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy
from tests.sim.fields import differences
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

NICS = ("lan", "mgmt", "lan")


@dataclass(frozen=True)
class Recovered:
    """``source`` and ``target``: what is in the sites."""

    manifest: Manifest
    preview: Preview
    source: State
    target: State
    differs: list[str]

    def server(self, name: str, state: State | None = None) -> Server:
        return next(s for s in (state or self.target).servers.values() if s.name == name)


def odd(service: Service) -> list[str]:
    """A server with a NIC in each of ``NICS``, a root disk that is not bootable, a data disk that is, and a gap at vdb;
    and one that is shut off.  Neither asked for a zone.
    """
    site, numbers = service.cloud(), count(10)
    body = {"security_group": {"name": "odd"}}
    group = deploy.ask(site.network, "POST", "/security-groups", body)["security_group"]["id"]
    nets = [deploy.network(site, name, f"10.4{n}.0.0/24") for n, name in enumerate(NICS)]
    made = []
    for name in ("odd", "spare"):
        disks = [deploy.volume(site, f"{name}-root", image=deploy.image(site))]
        disks += [deploy.volume(site, f"{name}-{n}") for n in (1, 2)]
        ports = [
            deploy.port(site, f"{name}-{n}-{next(numbers)}", net, security_groups=[group])
            for n, net in enumerate(nets)
        ]
        if name == "odd":
            ports.reverse()  # no order of Neutron's is that of the NICs
        made.append(deploy.server(site, name, deploy.flavor(site), disks, ports))
    for server in made:
        deploy.working(site, server)
    return made


def bend(world: World, servers: list[str]) -> None:
    state = world.sites[SITE].settle().state
    first = state.servers[servers[0]]
    gone = first.disks.pop(1)
    state.volumes[gone.volume_id].server_id = None
    root, data = (state.volumes[disk.volume_id] for disk in first.disks)
    root.bootable, data.bootable = False, True


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    with make_world() as world, running_service(tmp_path_factory.mktemp("intent"), world) as service:
        servers = odd(service)
        bend(world, servers)
        deploy.ask(service.cloud().compute, "POST", f"/servers/{servers[1]}/action", {"os-stop": None})
        service.applications.create(service.owner(), "odd", SITE, [{"id": s} for s in servers])
        job, point = service.protect("odd")
        assert job.state is JobState.DONE, job.error
        preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
        source = world.sites[SITE].settle().state
        world.lose(SITE)
        job, _ = service.recover(point.id)
        assert job.state is JobState.DONE, job.error
        manifest = service.manifests.read(point.id)
        target = world.sites[TARGET].settle().state
        return Recovered(manifest, preview, source, target, differences(service.cloud(TARGET), manifest))


def nics(state: State, server: Server) -> list[str]:
    return [state.ports[port]["name"] for port in server.ports]


def test_nics_keep_novas_order_although_two_networks_have_one_name(recovered: Recovered) -> None:
    source, target = recovered.server("odd", recovered.source), recovered.server("odd")
    assert nics(recovered.target, target) == nics(recovered.source, source)
    names = [recovered.target.networks[recovered.target.ports[p]["network_id"]]["name"] for p in target.ports]
    assert names == list(NICS)


def test_the_root_is_what_nova_calls_root_whatever_is_bootable(recovered: Recovered) -> None:
    disks = [recovered.target.volumes[disk.volume_id] for disk in recovered.server("odd").disks]
    assert [volume.name for volume in disks] == ["odd-root", "odd-2"]
    said = [p.what for p in recovered.preview.problems if p.kind == "server odd"]
    assert "its root disk /dev/vda is not marked bootable" in said


def test_a_device_name_that_changes_is_told_in_the_preview(recovered: Recovered) -> None:
    (told,) = [p for p in recovered.preview.problems if "will be" in p.what and p.severity is Severity.NOTE]
    assert told.what == "volume odd-2 was /dev/vdc and will be /dev/vdb: Nova leaves no gaps"
    assert recovered.server("odd").disks[1].device == "/dev/vdb"


def test_a_server_made_without_a_zone_is_not_pinned(recovered: Recovered) -> None:
    assert [s.availability_zone for s in recovered.manifest.servers] == [None, None]
    assert [s.pinned_zone for s in recovered.target.servers.values()] == [None, None]


def test_a_member_that_was_shut_off_is_shut_off_again(recovered: Recovered) -> None:
    assert {s.name: s.status for s in recovered.target.servers.values()} == {
        "odd": "ACTIVE",
        "spare": "SHUTOFF",
    }
    (item,) = [i for i in recovered.preview.items if (i.kind, i.name) == ("server", "spare")]
    assert "it was shut off, and is shut off again" in item.detail


def test_nothing_else_differs(recovered: Recovered) -> None:
    """The bootable flag and the device name that were told."""
    left = [line for line in recovered.differs if "bootable" not in line and "device" not in line]
    assert (left, len(recovered.differs)) == ([], 2)


def test_a_zone_that_was_asked_for_is_asked_for_again(service: Service) -> None:
    """The negative control: ``details`` asks for one."""
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    assert service.manifests.read(point.id).servers[0].availability_zone == "nova"


def test_an_older_nova_does_not_tell_so_the_restore_point_does(
    service: Service, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.deploy("mme", servers=2, full=False)
    servers = world.sites[SITE].settle().state.servers
    servers[made.servers[1]].availability_zone = "az-east"
    older: Any = tuple(replace(s, high=(2, 95)) if s.name == "compute" else s for s in sim_site.SERVICES)
    monkeypatch.setattr(sim_site, "SERVICES", older)
    service.clouds.drop(SITE)
    facts = read_application(service.cloud(), made.servers)
    assert [s.availability_zone for s in facts.servers] == [None, "az-east"]
    told = [note for note in facts.notes if "before 2.96" in note]
    assert [note.endswith("is asked for at the target") for note in told] == [True, False]


def test_where_the_order_of_nics_is_not_told_it_is_said(service: Service, world: World) -> None:
    """A stopped server has no hypervisor to ask."""
    servers = odd(service)
    deploy.ask(service.cloud().compute, "POST", f"/servers/{servers[1]}/action", {"os-stop": None})
    notes = {n: read_application(service.cloud(), [s]).notes for n, s in enumerate(servers)}
    assert not [note for note in notes[0] if "NICs" in note]
    assert [note for note in notes[1] if "the order of the 3 NICs of server spare cannot be told" in note]
