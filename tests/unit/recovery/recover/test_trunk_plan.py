"""What is in the way of a trunk: a target without trunks, an MTU that Neutron refuses, a port that is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from multisite.domain.manifest import Manifest
from multisite.domain.trunks import SubportRecord, TrunkRecord
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.target_facts import TargetFacts, TargetNetwork, TargetSubnet
from tests.unit.recovery.recover_samples import facts, look, made, manifest


def trunked(subport: str = "p-vlan", **trunk: Any) -> Manifest:
    """The first server's first port is the parent; its VLAN is in the second network."""
    found = manifest(1)
    port = replace(
        found.ports[1], id="p-vlan", name="vlan", mac_address="fa:16:3e:00:09:09", fixed_addresses=()
    )
    record = TrunkRecord("t1", "lanes", found.ports[0].id, (SubportRecord(subport, "vlan", 7),), **trunk)
    return replace(found, ports=(*found.ports, port), trunks=(record,))


def target(**more: Any) -> TargetFacts:
    return facts(**{"network_extensions": frozenset({"trunk"}), **more})


def obstacles(point: Manifest, there: TargetFacts, mapping: Any = None) -> list[str]:
    return [one.what for one in look(point, there, mapping).problems if one.blocking]


def existing(mtu: int | None) -> TargetNetwork:
    return TargetNetwork(
        "t-n1", "lan", "t-proj", mtu=mtu, subnets=(TargetSubnet("t-s1", "", "t-n1", "10.1.0.0/24", 4),)
    )


def test_its_servers_need_it_and_it_needs_its_ports() -> None:
    (trunk,) = made(trunked(), target()).trunks
    assert (trunk.step, trunk.name, trunk.use) == ("trunk-1", "lanes", None)
    assert obstacles(trunked(), target()) == []


def test_what_is_not_known_of_the_target_is_said_once() -> None:
    there = target(network_extensions=frozenset(), unknown={"network_extensions": "no answer"})
    assert obstacles(trunked(), there) == [
        f"could not be read at {there.site}, so nothing can be said: no answer"
    ]


def test_a_target_without_trunks() -> None:
    (what,) = obstacles(trunked(), target(network_extensions=frozenset()))
    assert "lacks the extension trunk, and its server would reach none of its 1 subports" in what
    assert obstacles(manifest(1), target(network_extensions=frozenset())) == [], "without a trunk it is none"


def test_the_loss_of_a_trunk_is_accepted_by_name() -> None:
    there, mapping = target(network_extensions=frozenset()), {"accept_loss": ["trunk:lanes"]}
    assert obstacles(trunked(), there, mapping) == []
    plan = made(trunked(), there, mapping)
    assert (plan.trunks, "p-vlan" in {port.record.id for port in plan.ports}) == ((), True)
    assert made(trunked(), target(), mapping).trunks != (), "one that can be made is made"


def test_a_mapped_network_of_a_larger_mtu_than_the_parents() -> None:
    point, mapping = trunked(), {"networks": {"plane1": "t-n1"}}
    (what,) = obstacles(point, target(networks=(existing(9000),)), mapping)
    assert what.startswith("the network of subport vlan has MTU 9000 at ")
    assert "more than the 1500 of its parent's" in what
    for mtu in (1500, None):
        assert obstacles(point, target(networks=(existing(mtu),)), mapping) == []


def test_a_subport_that_the_restore_point_does_not_describe() -> None:
    assert obstacles(trunked("gone"), target()) == ["trunk lanes: port gone is named in it but not described"]


def test_a_plan_of_an_earlier_release_has_none() -> None:
    plan = made(trunked(), target())
    assert RecoverPlan.from_json(plan.to_json()) == plan
    earlier = plan.to_json()
    del earlier["trunks"]
    assert RecoverPlan.from_json(earlier) == replace(plan, trunks=())
