"""What a recovery cannot bring back is in its way, until the operator accepts it by name; who did is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.findings import Finding, Severity
from multisite.jobs.model import JobState
from multisite_lab.sim.content import Content
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import Deployed, ask
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

VLAN = {
    "provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 100,
}  # fmt: skip


@dataclass
class Lost:
    """An application of two servers whose site is lost once it is protected."""

    world: World
    service: Service
    made: Deployed
    point: str = ""

    def protect(self) -> None:
        job, point = self.service.protect("mme")
        assert job.state is JobState.DONE, job.error
        self.point = point.id
        self.world.lose(SITE)

    @property
    def source(self) -> Any:
        return self.world.sites[SITE].settle().state

    def said(self, *losses: str, **mapping: Any) -> list[Finding]:
        wanted = MAPPING | mapping | {"accept_loss": losses}
        preview = self.service.recoveries.preview(self.service.caller, self.point, TARGET, wanted)
        return list(preview.problems)

    def blocking(self, *losses: str, **mapping: Any) -> dict[str, str]:
        """What to type for each obstacle, by its subject."""
        found = [f for f in self.said(*losses, **mapping) if f.severity is Severity.BLOCKING]
        return {f.kind: f.remedy.partition("accept it: ")[2] for f in found}

    def recovered(self, *losses: str, **mapping: Any) -> set[tuple[str | None, str | None, str]]:
        """Action, thing and user of each acceptance in the audit trail."""
        job, _ = self.service.recover(self.point, accept_loss=losses, **mapping)
        assert job.state is JobState.DONE, job.error
        rows = self.service.audit.list(job=job.id)
        return {(r.action, r.resource_id, r.user) for r in rows if (r.action or "").startswith("accept-loss")}


@pytest.fixture
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("losses"), world) as service:
        yield Lost(world, service, service.deploy("mme"))


@pytest.fixture
def disks(lost: Lost) -> Lost:
    """Both servers have an ephemeral disk, the first a swap disk, too."""
    first, second = (lost.source.servers[id].flavor for id in lost.made.servers)
    first |= {"OS-FLV-EXT-DATA:ephemeral": 20, "swap": 512}
    second |= {"OS-FLV-EXT-DATA:ephemeral": 20, "name": "mme-20"}
    lost.protect()
    return lost


ALL = ("ephemeral-disk:mme-1", "swap-disk:mme-1", "ephemeral-disk:mme-2")


def test_data_outside_of_volumes_is_in_the_way_until_it_is_accepted(disks: Lost) -> None:
    found = sorted((f.kind, f.what) for f in disks.said() if f.severity is Severity.BLOCKING)
    assert found == [
        ("server mme-1", "its ephemeral disk of 20 GiB is not backed up: it comes back empty"),
        ("server mme-1", "its swap disk of 512 MiB is not backed up: it comes back empty"),
        ("server mme-2", "its ephemeral disk of 20 GiB is not backed up: it comes back empty"),
    ]
    assert {
        f.remedy.partition("accept it: ")[2] for f in disks.said() if f.severity is Severity.BLOCKING
    } == {f"--accept-loss {loss}" for loss in ALL}
    with pytest.raises(Conflict, match="--accept-loss ephemeral-disk:mme-2"):
        disks.recovered(*ALL[:2])
    assert disks.world.sites[TARGET].settle().state.servers == {}
    said = sorted((f for f in disks.said(*ALL) if f.what.startswith("accepted: ")), key=lambda f: f.kind)
    assert [(f.severity, f.kind) for f in said] == [
        (Severity.NOTE, "server mme-1"), (Severity.NOTE, "server mme-1"), (Severity.NOTE, "server mme-2"),
    ]  # fmt: skip
    one, two = disks.made.servers
    ids = {"ephemeral-disk:mme-1": one, "swap-disk:mme-1": one, "ephemeral-disk:mme-2": two}
    assert disks.recovered(*ALL) == {(f"accept-loss {loss}", ids[loss], "tester") for loss in ALL}


def test_the_loss_of_another_is_not_accepted(disks: Lost) -> None:
    """The negative control."""
    one, two = disks.made.servers
    assert disks.blocking(f"ephemeral-disk:{two}", "swap-disk:mme-1") == {
        "server mme-1": "--accept-loss ephemeral-disk:mme-1"
    }
    assert disks.blocking(f"ephemeral-disk:{one}", "swap-disk:mme-1") == {
        "server mme-2": "--accept-loss ephemeral-disk:mme-2"
    }


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("ephemeral-disk:mme-3", "ephemeral-disk: the restore point has no 'mme-3'; it has: mme-1, mme-2"),
        ("swap-disk:mme-2", "swap-disk: the restore point has no 'mme-2'; it has: mme-1"),
        ("physical-network:mme-data", "physical-network: the restore point has no 'mme-data'; it has: none"),
        ("floppy:mme-1", "there is no loss 'floppy'; there are: encrypted-volume, "),
    ],
)
def test_a_loss_that_the_restore_point_does_not_have_is_a_slip(disks: Lost, loss: str, said: str) -> None:
    with pytest.raises(Invalid, match=f"^mapping.accept_loss: {said}"):
        disks.said(loss)


def test_an_application_that_loses_nothing_has_nothing_to_accept(lost: Lost) -> None:
    lost.protect()
    assert lost.blocking() == {}
    assert lost.recovered() == set()


def test_a_physical_network_becomes_an_overlay_only_when_that_is_accepted(lost: Lost) -> None:
    lost.source.networks[lost.made.networks[0]] |= VLAN
    lost.protect()
    loss = "physical-network:mme-data"
    assert lost.blocking() == {"network mme-data": f"--accept-loss {loss}"}
    assert lost.recovered(loss) == {(f"accept-loss {loss}", lost.made.networks[0], "tester")}
    (row,) = (n for n in lost.world.sites[TARGET].settle().state.networks.values() if n["name"] == "mme-data")
    assert row["provider:network_type"] != "vlan"


def test_the_content_of_a_vtpm_is_lost_by_name(lost: Lost) -> None:
    one, two = lost.made.servers
    lost.source.servers[one].flavor["extra_specs"] = {"hw:tpm_version": "2.0"}
    root = min((v for v in lost.source.volumes.values() if v.server_id == two), key=lambda v: v.device)
    root.image_metadata |= {"hw_tpm_version": "2.0", "hw_firmware_type": "uefi"}
    lost.protect()
    notes = lost.service.manifests.read(lost.point).notes
    assert sorted(n.partition(" not backed up")[0] for n in notes) == [
        "server mme-1: the content of its vTPM is",
        "server mme-2: the content of its vTPM is",
        "server mme-2: the variables of its UEFI are",
    ]
    assert lost.blocking() == {
        "server mme-1": "--accept-loss vtpm:mme-1",
        "server mme-2": "--accept-loss vtpm:mme-2",
    }
    assert lost.blocking("vtpm:mme-2") == {"server mme-1": "--accept-loss vtpm:mme-1"}
    assert {action for action, _, _ in lost.recovered("vtpm:mme-1", "vtpm:mme-2")} == {
        "accept-loss vtpm:mme-1", "accept-loss vtpm:mme-2",
    }  # fmt: skip


ALIAS = {"pci_passthrough:alias": "gpu:1", "hw:cpu_policy": "dedicated"}


def test_a_server_comes_back_without_its_pci_device_when_that_is_accepted(lost: Lost) -> None:
    lost.source.servers[lost.made.servers[0]].flavor |= {"extra_specs": ALIAS, "name": "gpu"}
    lost.protect()
    assert lost.blocking() == {"server mme-1": "--accept-loss pci-device:mme-1"}
    lost.recovered("pci-device:mme-1")
    (flavor,) = (
        f for f in lost.world.sites[TARGET].settle().state.flavors.values() if f["name"].startswith("gpu")
    )
    assert flavor["extra_specs"].get("hw:cpu_policy") == "dedicated"
    assert "pci_passthrough:alias" not in flavor["extra_specs"]


def test_a_flavor_of_the_target_that_names_the_device_vouches_for_it(lost: Lost) -> None:
    lost.source.servers[lost.made.servers[0]].flavor |= {"extra_specs": ALIAS, "name": "gpu"}
    lost.protect()
    wanted = {"flavor": {"name": "gpu-b", "vcpus": 1, "ram": 128, "disk": 1}}
    made = ask(lost.service.cloud(TARGET).compute, "POST", "/flavors", wanted)["flavor"]["id"]
    assert lost.blocking(flavors={"gpu": "gpu-b"}) == {"server mme-1": "--accept-loss pci-device:mme-1"}
    lost.world.sites[TARGET].settle().state.flavors[made]["extra_specs"] = {"pci_passthrough:alias": "a100:1"}
    assert lost.blocking(flavors={"gpu": "gpu-b"}) == {}
    sim = lost.world.sites[TARGET].sim
    sim.settings = replace(sim.settings, pci_aliases=("a100",))
    assert lost.recovered(flavors={"gpu": "gpu-b"}) == set()


def test_the_simulation_knows_no_alias_by_itself(lost: Lost) -> None:
    """The negative control: the target's operator vouched for a device that is not there."""
    lost.source.servers[lost.made.servers[0]].flavor |= {"extra_specs": ALIAS, "name": "gpu"}
    lost.protect()
    wanted = {"flavor": {"name": "gpu-b", "vcpus": 1, "ram": 128, "disk": 1}}
    made = ask(lost.service.cloud(TARGET).compute, "POST", "/flavors", wanted)["flavor"]["id"]
    lost.world.sites[TARGET].settle().state.flavors[made]["extra_specs"] = {"pci_passthrough:alias": "a100:1"}
    job, _ = lost.service.recover(lost.point, flavors={"gpu": "gpu-b"})
    assert job.state is JobState.PAUSED
    assert "PCI alias a100 is not defined" in str(job.error)


@pytest.fixture
def sriov(lost: Lost) -> Lost:
    """A port of the first server is SR-IOV, in a VLAN."""
    port = lost.source.ports[lost.made.ports[0]]
    port |= {"binding:vnic_type": "direct", "binding:profile": {"trusted": "true"}}
    lost.source.networks[port["network_id"]] |= VLAN
    lost.protect()
    return lost


def test_an_sr_iov_port_becomes_an_ordinary_one_when_that_is_accepted(sriov: Lost) -> None:
    name = sriov.source.ports[sriov.made.ports[0]]["name"]
    losses = ("physical-network:mme-data", f"sr-iov-port:{name}")
    assert sriov.blocking(losses[0]) == {f"port {name}": f"--accept-loss {losses[1]}"}
    sriov.recovered(*losses)
    (row,) = (p for p in sriov.world.sites[TARGET].settle().state.ports.values() if p["name"] == name)
    assert (row["binding:vnic_type"], row["binding:profile"]) == ("normal", {})


def test_an_sr_iov_port_stays_one_where_the_target_has_agents_and_the_network(sriov: Lost) -> None:
    name = sriov.source.ports[sriov.made.ports[0]]["name"]
    network = sriov.service.cloud(TARGET).network
    theirs = ask(network, "POST", "/networks", {"network": {"name": "theirs", **VLAN}})["network"]["id"]
    subnet = {"network_id": theirs, "ip_version": 4, "cidr": "10.31.0.0/24"}
    ask(network, "POST", "/subnets", {"subnet": subnet})
    mapping = {"networks": {"mme-data": "theirs"}}
    (told,) = (f for f in sriov.said(**mapping) if f.severity is Severity.BLOCKING)
    assert "no NIC Switch agent is up at site2" in told.what
    sim = sriov.world.sites[TARGET].sim
    sim.settings = replace(sim.settings, sriov=True)
    assert sriov.blocking(**mapping) == {}
    sriov.recovered(**mapping)
    (row,) = (p for p in sim.state.ports.values() if p["name"] == name)
    assert (row["binding:vnic_type"], row["binding:profile"]["trusted"]) == ("direct", "true")


def disks_of(lost: Lost, server: str) -> list[Any]:
    """Its volumes at the source, the root first."""
    own = [v for v in lost.source.volumes.values() if v.server_id == server]
    return sorted(own, key=lambda v: v.device)


def same_type(lost: Lost) -> None:
    """The target's type "rbd" has the id of the source's, as where one Cinder database is a copy of the other."""
    here, there = (lost.world.sites[name].settle().state.volume_types for name in (SITE, TARGET))
    (wanted,) = (row["id"] for row in here.values() if row["name"] == "rbd")
    (own,) = (row["id"] for row in there.values() if row["name"] == "rbd")
    there[wanted] = there.pop(own) | {"id": wanted}


def test_an_encrypted_volume_comes_back_empty_when_that_is_accepted(lost: Lost) -> None:
    _, data = disks_of(lost, lost.made.servers[0])
    data.more["encrypted"] = True
    lost.protect()
    loss = f"encrypted-volume:{data.name}"
    (told,) = (f for f in lost.said() if f.severity is Severity.BLOCKING)
    assert told.what.startswith("it is encrypted by the volume type 'rbd' (")
    assert "retype it to a type that is not encrypted" in told.remedy
    assert told.remedy.endswith(f"or accept it: --accept-loss {loss}")
    assert lost.recovered(loss) == {(f"accept-loss {loss}", data.id, "tester")}
    state = lost.world.sites[TARGET].settle().state
    (made,) = (v for v in state.volumes.values() if v.name == data.name)
    assert (made.status, made.device, made.size) == ("in-use", data.device, data.size)
    assert made.content == Content()
    others = [v for v in state.volumes.values() if v is not made]
    assert all(v.content != Content() for v in others)
    assert [b for b in state.backups.values() if b.volume_id == data.id] == [], (
        "what is not restored is not imported"
    )


def test_an_encrypted_root_cannot_be_given_up(lost: Lost) -> None:
    root, _ = disks_of(lost, lost.made.servers[0])
    root.more["encrypted"] = True
    lost.protect()
    for losses in ((), (f"encrypted-volume:{root.id}",)):
        (told,) = (f for f in lost.said(*losses) if f.severity is Severity.BLOCKING)
        assert told.what.endswith("Cinder restores it into no other, and a server boots from it")
        assert "--accept-loss" not in told.remedy


def test_an_encrypted_volume_is_restored_where_the_target_has_its_very_type(lost: Lost) -> None:
    root, data = disks_of(lost, lost.made.servers[0])
    for volume in (root, data):
        volume.more["encrypted"] = True
    lost.protect()
    same_type(lost)
    losses = [f"encrypted-volume:{volume.name}" for volume in (root, data)]
    told = [f for f in lost.said() if f.severity is Severity.BLOCKING]
    assert all("whether the key manager of site2 has its key cannot be asked" in f.what for f in told)
    assert {f.remedy.partition("accept it: ")[2] for f in told} == {
        f"--accept-loss {loss}" for loss in losses
    }
    lost.recovered(*losses)
    volumes = lost.world.sites[TARGET].settle().state.volumes.values()
    for volume in (root, data):
        (made,) = (v for v in volumes if v.name == volume.name)
        assert (made.content.seed, made.more) == (volume.content.seed, {"encrypted": True})


def test_the_simulation_refuses_as_cinder_does(lost: Lost) -> None:
    """The negative control: what a recovery that tried all the same would run into."""
    _, data = disks_of(lost, lost.made.servers[0])
    data.more["encrypted"] = True
    lost.protect()
    manifest = lost.service.manifests.read(lost.point)
    volumes = tuple(replace(v, encrypted_type_id=None) for v in manifest.volumes)
    plain = replace(manifest, id="00000000-0000-0000-0000-00000000dead", volumes=volumes)
    lost.service.manifests.write(plain)
    job, _ = lost.service.recover(plain.id)
    assert job.state is JobState.PAUSED
    assert "is different than the destination volume type" in str(job.error)
