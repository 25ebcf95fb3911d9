"""Trunks: a member's VLANs come back with their ports and networks, before the member boots; what cannot is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from multisite.clouds.connect import Sites
from multisite.clouds.facts.application import read_application
from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest
from multisite.domain.model import Preview
from multisite.jobs.model import JobState
from multisite.recovery.recover import plan as recover_plan
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import State
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy
from tests.sim.deploy import Deployed, ask
from tests.sim.judge import wrong
from tests.sim.service import CLOUDS, MAPPING, SITE, TARGET, Service, running_service

LACKS = ("trunk", "trunk-details")
VIRTUAL = "10.33.0.60"


def widen(service: Service) -> None:
    """Two more VLANs of a full application's trunk, in a network that no server has a port in, with a group that no
    server is in; they may use an address there that a port keeps.
    """
    site = service.cloud()
    (trunk,) = ask(site.network, "GET", "/trunks")["trunks"]
    network = deploy.network(site, "mme-vlans", "10.33.0.0/24")
    body = {"security_group": {"name": "mme-vlans"}}
    group = ask(site.network, "POST", "/security-groups", body)["security_group"]["id"]
    deploy.port(site, "mme-vlans-vip", network, fixed_ips=[{"ip_address": VIRTUAL}], security_groups=[group])
    pairs = [{"ip_address": VIRTUAL}]
    subports = [
        {
            "port_id": deploy.port(
                site, f"mme-vlan-{number}", network, security_groups=[group], allowed_address_pairs=pairs
            ),
            "segmentation_type": "vlan",
            "segmentation_id": number,
        }
        for number in (4094, 1)
    ]
    for enabled in (True, False):  # none that is disabled takes more
        ask(site.network, "PUT", f"/trunks/{trunk['id']}", {"trunk": {"admin_state_up": enabled}})
        if enabled:
            ask(site.network, "PUT", f"/trunks/{trunk['id']}/add_subports", {"sub_ports": subports})


@dataclass(frozen=True)
class Recovered:
    """``undone`` is what is in the target after the undo, ``wrong`` what the judge said before."""

    manifest: Manifest
    preview: Preview
    target: State
    asked: list[tuple[str, str]]
    wrong: list[str]
    undone: State

    @property
    def trunk(self) -> dict[str, Any]:
        (found,) = self.target.trunks.values()
        return found

    def port(self, id: str) -> dict[str, Any]:
        return self.target.ports[id]


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    with make_world() as world, running_service(tmp_path_factory.mktemp("trunks"), world) as service:
        service.deploy("mme", servers=1)
        widen(service)
        _, point = service.protect("mme")
        world.lose(SITE)
        preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
        job, recovery = service.recover(point.id)
        assert job.state is JobState.DONE, job.error
        target = world.sites[TARGET].save()
        asked = [(seen.method, seen.path) for seen in world.sites[TARGET].script.log]
        found = wrong(world, service)
        job, _ = service.undo(recovery.id)
        assert job.state is JobState.UNDONE, job.error
        undone = world.sites[TARGET].save()
        manifest = service.manifests.read(point.id)
        return Recovered(manifest, preview, target, asked, found, undone)


def test_a_trunk_is_in_the_restore_point_with_all_it_leads_to(recovered: Recovered) -> None:
    manifest = recovered.manifest
    (trunk,) = manifest.trunks
    names = {port.id: port.name for port in manifest.ports}
    assert names[trunk.port_id] == "mme-1-mgmt"
    assert [(one.segmentation_type, one.segmentation_id) for one in trunk.subports] == [
        ("vlan", 1), ("vlan", 101), ("vlan", 4094),
    ]  # fmt: skip
    assert [names[one.port_id] for one in trunk.subports] == ["mme-vlan-1", "mme-vlan", "mme-vlan-4094"]
    assert "mme-vlans-vip" in names.values()
    assert "mme-vlans" in {network.name for network in manifest.networks}
    assert "mme-vlans" in {group.name for group in manifest.security_groups}
    assert manifest.notes == ()


def test_it_comes_back_as_it_was(recovered: Recovered) -> None:
    trunk = recovered.trunk
    assert (trunk["name"], trunk["description"], trunk["admin_state_up"]) == (
        "mme-trunk", "VLANs of mme", False,
    )  # fmt: skip
    assert [tag for tag in trunk["tags"] if not tag.startswith("multisite:")] == ["red", "green"]
    assert recovered.port(trunk["port_id"])["name"] == "mme-1-mgmt"
    vlans = {one["segmentation_id"]: recovered.port(one["port_id"]) for one in trunk["sub_ports"]}
    assert {number: port["name"] for number, port in vlans.items()} == {
        1: "mme-vlan-1", 101: "mme-vlan", 4094: "mme-vlan-4094",
    }  # fmt: skip
    assert {port["device_owner"] for port in vlans.values()} == {"trunk:subport"}
    assert {port["device_id"] for port in vlans.values()} == {""}
    assert recovered.wrong == []


def test_it_is_there_before_its_server_boots(recovered: Recovered) -> None:
    """Neutron wires a trunk when its parent port is plugged, and takes none whose parent is."""
    made = [path for method, path in recovered.asked if method == "POST"]
    assert made.index("/trunks") < made.index("/servers")


def test_the_preview_says_what_it_carries(recovered: Recovered) -> None:
    (item,) = [one for one in recovered.preview.items if one.kind == "trunk"]
    assert (item.name, item.action) == ("mme-trunk", "create")
    assert item.detail.startswith("of port mme-1-mgmt; vlan 1: port mme-vlan-1, vlan 101: port mme-vlan,")
    reasons = {one.name: one.detail for one in recovered.preview.items if one.kind == "port"}
    assert reasons["mme-vlan-1"].endswith("; it is a subport of a trunk")
    assert reasons["mme-vlans-vip"].endswith("; it keeps a virtual IP of the servers")


def test_an_undo_takes_the_trunk_before_its_ports_although_it_is_disabled(recovered: Recovered) -> None:
    assert (recovered.undone.trunks, recovered.undone.ports, recovered.undone.networks) == ({}, {}, {})


def test_a_trunk_that_is_dropped_is_seen(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    world.lose(SITE)
    monkeypatch.setattr(recover_plan, "plan_trunks", lambda *_: ())
    job, _ = service.recover(point.id)
    assert job.state is JobState.DONE, job.error
    found = wrong(world, service)
    assert any("/trunks/mme-trunk" in line for line in found)
    assert any("/subports/mme-vlan" in line for line in found)


@pytest.mark.parametrize("kind", ["lost", "late"])
def test_a_lost_answer_makes_no_second_trunk(world: World, service: Service, kind: Any) -> None:
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    world.lose(SITE)
    target = world.sites[TARGET]
    rules = [
        target.strike(Rule(kind, "network", "POST", "/trunks$")),
        target.strike(Rule(kind, "network", "PUT", "/trunks/.*/tags")),
    ]
    job, recovery = service.recover(point.id)
    assert job.state is JobState.DONE, job.error
    assert [rule.struck for rule in rules] == [1, 1]
    assert len(target.settle().state.trunks) == 1
    assert wrong(world, service) == []
    rules = [target.strike(Rule(kind, "network", "DELETE", "/trunks/"))]
    job, _ = service.undo(recovery.id)
    assert job.state is JobState.UNDONE, job.error
    assert rules[0].struck == 1
    assert target.settle().state.trunks == {}


def test_a_target_without_trunks_or_with_a_full_quota_is_an_obstacle(world: World, service: Service) -> None:
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    sim = world.sites[TARGET].sim

    def obstacles() -> list[Finding]:
        preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
        return [one for one in preview.problems if one.blocking]

    assert obstacles() == []
    sim.quotas["trunk"] = 0
    assert [one.kind for one in obstacles()] == ["quota trunk"]
    sim.settings = replace(sim.settings, lacks=LACKS)
    found = next(one for one in obstacles() if one.kind == "trunk mme-trunk")
    assert found.what.startswith("cannot be made: Neutron at site2 lacks the extension trunk")
    assert "service plugin trunk" in found.remedy


def test_sites_without_trunks_are_asked_for_none_and_told_of_none(world: World, service: Service) -> None:
    for name in (SITE, TARGET):
        sim = world.sites[name].sim
        sim.settings = replace(sim.settings, lacks=LACKS)
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    assert service.manifests.read(point.id).trunks == ()
    preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
    assert [one for one in preview.problems if "trunk" in f"{one.kind} {one.what}"] == []
    world.lose(SITE)
    job, recovery = service.recover(point.id)
    assert job.state is JobState.DONE, job.error
    asked = {seen.path for name in (SITE, TARGET) for seen in world.sites[name].script.log}
    assert [path for path in asked if "trunk" in path] == []
    job, _ = service.undo(recovery.id)
    assert job.state is JobState.UNDONE, job.error


def told(service: Service, made: Deployed) -> list[str]:
    notes = read_application(service.cloud(), made.servers).notes
    return [note for note in notes if "trunk" in note]


def source(world: World) -> tuple[State, dict[str, Any]]:
    state = world.sites[SITE].settle().state
    (trunk,) = state.trunks.values()
    return state, trunk


def test_a_trunk_that_is_not_shown_to_us_is_told_of(world: World, service: Service) -> None:
    made = service.deploy("mme", servers=1)
    _, trunk = source(world)
    trunk["project_id"] = "elsewhere"
    clouds = Sites(lambda name: name, config_file=service.folder / CLOUDS)
    member = clouds.open_for_service(f"{SITE}-member")
    facts = read_application(member, made.servers)
    assert (facts.trunks, [p.name for p in facts.ports if "vlan" in p.name]) == ((), [])
    (note,) = [note for note in facts.notes if "trunk" in note]
    assert note == (
        f"trunk {trunk['id']} of port mme-1-mgmt is not shown to us: neither it nor its subports are carried over"
    )
    (note,) = told(service, made)
    assert "is of another project, elsewhere: a recovery makes it for the application's own" in note


def test_a_subport_of_another_project_is_told_of_and_left_out(world: World, service: Service) -> None:
    made = service.deploy("mme", servers=1)
    state, trunk = source(world)
    (subport,) = trunk["sub_ports"]
    state.ports[subport["port_id"]]["project_id"] = "elsewhere"
    (note,) = told(service, made)
    assert note == (
        f"trunk mme-trunk: port {subport['port_id']} (vlan 101) is of another project or not shown to us: it is not "
        "carried over"
    )
    facts = read_application(service.cloud(), made.servers)
    assert [trunk.subports for trunk in facts.trunks] == [()]
    assert "mme-vlan" not in {port.name for port in facts.ports}


def test_subports_of_a_trunk_of_others_are_told_of(world: World, service: Service) -> None:
    """In the application's network, but carried by a port of no member."""
    made = service.deploy("mme", servers=1)
    _, trunk = source(world)
    trunk["port_id"] = trunk["sub_ports"][0]["port_id"]
    (note,) = told(service, made)
    assert note == (
        "ports of the application's networks are subports of a trunk whose parent is no member's port: mme-vlan are "
        "not carried over"
    )


def test_a_list_that_lost_a_subport_loses_none(world: World, service: Service) -> None:
    made = service.deploy("mme", servers=1)
    site = service.cloud()
    whole = read_application(site, made.servers)
    rule = world.sites[SITE].strike(Rule("partial", "network", "GET", "^/trunks$"))
    assert read_application(site, made.servers).trunks == whole.trunks != ()
    assert rule.struck == 1
