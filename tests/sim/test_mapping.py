"""What has a name at both ends is what the operator maps it to; without a word only what is shared is found by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from multisite.domain.findings import Finding, Severity
from multisite.jobs.model import JobState
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import NOVA, Deployed, ask
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service
from tests.sim.test_carried import made_by_itself


@dataclass(frozen=True)
class Protected:
    """An application whose first port and second network have the QoS policy "gold"; its site is lost."""

    world: World
    service: Service
    made: Deployed
    point: str

    def policy(self, name: str, **fields: Any) -> str:
        """At the target."""
        cloud = self.service.cloud(TARGET)
        body = {"policy": {"name": name, **fields}}
        return str(ask(cloud.network, "POST", "/qos/policies", body)["policy"]["id"])

    def server_group(self, name: str, policy: str) -> str:
        body = {"server_group": {"name": name, "policy": policy}}
        made = ask(self.service.cloud(TARGET).compute, "POST", "/os-server-groups", body, NOVA)
        return str(made["server_group"]["id"])

    def said(self, **mapping: Any) -> list[Finding]:
        preview = self.service.recoveries.preview(self.service.caller, self.point, TARGET, MAPPING | mapping)
        return list(preview.problems)

    def recovered(self, **mapping: Any) -> dict[str, str | None]:
        """The QoS policies of what came back, by its name."""
        job, _ = self.service.recover(self.point, **mapping)
        assert job.state is JobState.DONE, job.error
        state = self.world.sites[TARGET].settle().state
        rows = [*state.ports.values(), *state.networks.values()]
        return {row["name"]: row.get("qos_policy_id") for row in rows if made_by_itself(row)}


@pytest.fixture
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("mapping"), world) as service:
        made = service.deploy("mme", servers=1)
        cloud = service.cloud(SITE)
        body = {"policy": {"name": "gold"}}
        gold = ask(cloud.network, "POST", "/qos/policies", body)["policy"]["id"]
        ask(cloud.network, "PUT", f"/ports/{made.ports[0]}", {"port": {"qos_policy_id": gold}})
        ask(cloud.network, "PUT", f"/networks/{made.networks[1]}", {"network": {"qos_policy_id": gold}})
        job, point = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        assert service.manifests.read(point.id).notes == ()
        world.lose(SITE)
        yield Protected(world, service, made, point.id)


GOLD = ("mme-1-data", "mme-mgmt")
"""What has the policy in the source."""


def test_a_qos_policy_of_the_project_is_not_taken_for_its_namesake(protected: Protected) -> None:
    namesake = protected.policy("gold")
    (told,) = [f for f in protected.said() if f.kind == "QoS policy gold"]
    assert told.severity is Severity.NOTE
    assert "port mme-1-data, network mme-mgmt come back without it" in told.what
    assert told.remedy == f"map it: --map qos-policy:gold=... (there is {namesake})"
    assert set(protected.recovered().values()) == {None}


def test_a_shared_qos_policy_of_the_same_name_is_found(protected: Protected) -> None:
    shared = protected.policy("gold", shared=True)
    assert [f for f in protected.said() if f.kind == "QoS policy gold"] == []
    found = protected.recovered()
    assert {name for name, policy in found.items() if policy == shared} == set(GOLD)
    assert {policy for name, policy in found.items() if name not in GOLD} == {None}


def test_a_qos_policy_is_what_it_is_mapped_to(protected: Protected) -> None:
    protected.policy("gold", shared=True)
    silver = protected.policy("silver")
    found = protected.recovered(qos_policies={"gold": "silver"})
    assert {name for name, policy in found.items() if policy == silver} == set(GOLD)


def test_a_site_without_qos_is_said_to_be_one(protected: Protected) -> None:
    sim = protected.world.sites[TARGET].sim
    sim.settings = replace(sim.settings, lacks=("qos",))
    (told,) = [f for f in protected.said() if f.kind == "QoS policy gold"]
    assert told.what.endswith("Neutron at site2 lacks the extension qos")
    job, _ = protected.service.recover(protected.point)
    assert job.state is JobState.DONE, job.error


def test_a_wrong_right_side_names_what_there_is(protected: Protected) -> None:
    protected.policy("silver")
    protected.server_group("apart", "soft-anti-affinity")
    wrong = {
        "qos_policies": {"gold": "golden"}, "server_groups": {"mme": "together"},
        "volume_types": {"rbd": "ceph"}, "availability_zones": {"nova": "az2"},
    }  # fmt: skip
    found = {f.what.split()[0]: f for f in protected.said(**wrong) if f.what.startswith("mapping.")}
    assert {name: f.remedy.partition("(")[2] for name, f in found.items()} == {
        "mapping.qos_policies": "site2 has: silver)",
        "mapping.server_groups": "site2 has: apart)",
        "mapping.volume_types": "site2 has: __DEFAULT__, rbd)",
        "mapping.availability_zones": "site2 has: nova)",
    }
    assert {f.severity for f in found.values()} == {Severity.BLOCKING}


def test_servers_join_the_group_theirs_is_mapped_to_and_it_stays_after_an_undo(protected: Protected) -> None:
    softer = protected.server_group("softer", "soft-affinity")
    mapping = {"server_groups": {"mme": "softer"}}
    assert any("policy soft-affinity, not soft-anti-affinity" in f.what for f in protected.said(**mapping))
    job, recovery = protected.service.recover(protected.point, **mapping)
    assert job.state is JobState.DONE, job.error
    groups = protected.world.sites[TARGET].settle().state.server_groups
    assert {id: len(row["members"]) for id, row in groups.items()} == {softer: 1}
    protected.service.undo(recovery.id)
    assert list(protected.world.sites[TARGET].settle().state.server_groups) == [softer]


VLAN = {
    "provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 100,
}  # fmt: skip


@pytest.fixture
def vlan(protected: Protected) -> Protected:
    """Its first network is a VLAN of a physical network."""
    world, service = protected.world, protected.service
    world.reconnect(SITE)
    world.sites[SITE].settle().state.networks[protected.made.networks[0]] |= VLAN
    job, point = service.protect("mme")
    assert job.state is JobState.DONE, job.error
    world.lose(SITE)
    return replace(protected, point=point.id)


def test_a_vlan_that_would_become_an_overlay_is_refused_with_what_to_type(vlan: Protected) -> None:
    (told,) = (f for f in vlan.said() if "vlan" in f.what)
    assert told.what.startswith(
        "it is a vlan network (100) in the physical network physnet1, and would be made as"
    )
    assert told.severity is Severity.BLOCKING
    assert told.remedy == (
        "make it at site2 before, and map it: --map network:mme-data=..., "
        "or accept it: --accept-loss physical-network:mme-data"
    )


def test_of_a_vlan_that_is_mapped_nothing_is_said(vlan: Protected) -> None:
    network = vlan.service.cloud(TARGET).network
    theirs = ask(network, "POST", "/networks", {"network": {"name": "theirs", **VLAN}})["network"]["id"]
    ask(
        network,
        "POST",
        "/subnets",
        {"subnet": {"network_id": theirs, "ip_version": 4, "cidr": "10.31.0.0/24"}},
    )
    found = vlan.said(networks={"mme-data": "theirs"})
    assert [f for f in found if f.severity is Severity.BLOCKING or "vlan" in f.what] == []
    vlan.recovered(networks={"mme-data": "theirs"})
