"""What a drill is decided of: nothing of the target's networking, and nothing that leads out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.findings import blockers
from multisite.domain.manifest import KeypairRecord, Manifest, SecurityGroupRule
from multisite.domain.model import Purpose
from multisite.domain.routing import FloatingIpRecord, RouterGateway, RouterInterface, RouterRecord
from multisite.recovery.recover.checks import SourceAnswer, SourceState
from multisite.recovery.recover.drills.isolate import isolate, mark
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.plan import Decision, decide
from multisite.recovery.recover.target_facts import TargetFacts, TargetGroup, TargetNetwork, TargetSubnet
from tests.unit.recovery.recover_samples import EGRESS, NOW, facts, look, manifest

ALIVE = SourceAnswer(SourceState.ALIVE)
DRILL = "0a1b2c3d-0000-4000-8000-000000000000"


def point() -> Manifest:
    """Its first network is a physical one of the provider's, with a way out and a floating IP."""
    found = manifest()
    network, other = found.networks
    physical = replace(
        network, external=True, provider={"provider:network_type": "vlan"}, dns_domain="x.org."
    )
    port, *ports = found.ports
    group, *groups = found.security_groups
    foreign = SecurityGroupRule("ingress", "IPv4", remote_group_id="g-of-others")
    return replace(
        found,
        networks=(physical, other),
        ports=(replace(port, vnic_type="direct", dns_name="web", binding_profile={"a": 1}), *ports),
        security_groups=(replace(group, rules=(*group.rules, foreign)), *groups),
        routers=(
            RouterRecord(
                "r1", "edge", (RouterInterface("s1", "10.1.0.1"),),
                gateway=RouterGateway("x1", "public", True, ("192.0.2.5",)),
            ),
        ),
        floating_ips=(FloatingIpRecord("f1", "192.0.2.7", "x1", "public", ports[0].id, "10.1.0.10"),),
    )  # fmt: skip


def target(**more: Any) -> TargetFacts:
    """It has everything that a recovery would use, or stumble over."""
    subnet = TargetSubnet("t-s0", "s", "t-n0", "10.0.0.0/24", 4)
    there = TargetNetwork("t-n0", "plane0", "t-proj", subnets=(subnet,))
    public = TargetNetwork("t-x1", "public", "t-ops", external=True)
    values: dict[str, Any] = {
        "network_extensions": frozenset({"router", "extraroute-atomic"}),
        "networks": (there, public),
        "security_groups": (TargetGroup("t-g1", "web", "t-proj", EGRESS),),
    }
    return facts(**{**values, **more})


def drill(wanted: Manifest, found: TargetFacts, mapping: Any = None) -> Decision:
    alone = isolate(wanted, found, parse(mapping))
    return decide(
        alone.manifest, alone.facts, alone.rules, NOW, source=ALIVE, items=alone.items, purpose=Purpose.DRILL
    )


MAPPING = {
    "networks": {"plane0": "plane0"},
    "floating_ips": {"192.0.2.7": "public"},
    "external_networks": {"public": "public"},
    "security_groups": {"g-of-others": "t-g1"},
    "create_missing_flavors": True,
}


def test_a_drill_starts_while_the_source_is_alive_and_uses_nothing_of_the_target() -> None:
    found = drill(point(), target(), MAPPING)
    assert found.preview.startable, blockers(found.preview.problems)
    plan = found.plan
    made = [*plan.networks, *plan.security_groups, *plan.server_groups, *plan.routers]
    assert [thing.use for thing in made] == [None] * len(made)
    assert [(r.external_id, r.record.gateway) for r in plan.routers] == [(None, None)]
    assert (plan.floating_ips, plan.remote_groups) == ((), {})
    kinds = {(n.record.external, n.record.shared, n.record.dns_domain) for n in plan.networks}
    assert kinds == {(False, False, "")}
    assert [n.record.provider for n in plan.networks] == [{}, {}]
    assert {(p.record.vnic_type, p.record.dns_name) for p in plan.ports} == {("normal", "")}
    own = {None, *(g.record.id for g in plan.security_groups)}
    assert {r.remote_group_id for g in plan.security_groups for r in g.record.rules} <= own
    assert [(p.mac_address, p.addresses[0].address) for p in plan.ports] == [
        (p.mac_address, p.fixed_addresses[0].address) for p in point().ports
    ], "as in production"


def test_a_recovery_of_the_same_is_in_the_way_of_production() -> None:
    """The negative control."""
    rules = parse({"create_missing_flavors": True})
    found = decide(manifest(), target(), rules, NOW, source=ALIVE)
    kinds = {p.kind for p in blockers(found.preview.problems)}
    assert kinds >= {f"site {manifest().source.name}", "network plane0"}
    assert not look(point(), target(), MAPPING).startable


def test_everything_that_is_replaced_is_told() -> None:
    items = drill(point(), target(), MAPPING).preview.items
    told = {(i.kind, i.name): i.detail for i in items if i.action in ("isolate", "leave out")}
    assert (
        told["network", "plane0"] == "one of the drill's own; a recovery would use 'plane0', as it is mapped"
    )
    assert told["router", "edge"] == "without its gateway"
    assert told["floating IP", "192.0.2.7"] == "a drill has none"
    assert "of the kind direct" in told["port", point().ports[0].name]
    assert any("g-of-others" in detail for detail in told.values())


def test_slips_of_the_pen_are_refused_as_in_a_recovery() -> None:
    with pytest.raises(Invalid, match="the restore point has no 'plan0'"):
        drill(point(), target(), {"networks": {"plan0": "plane0"}})
    with pytest.raises(Invalid, match="accept_loss"):
        drill(point(), target(), {"accept_loss": ["vtpm:web1"]})
    accepted = drill(point(), target(), {"accept_loss": ["sr-iov-port:web1-0"], **MAPPING})
    assert accepted.preview.startable, "a loss that a drill does not have is in nobody's way"


def test_a_key_pair_of_the_name_with_another_key_is_in_nobodys_way() -> None:
    other = KeypairRecord(manifest().keypairs[0].name, "ssh-ed25519 AAAAother x")
    found = drill(point(), target(keypairs=(other,)), MAPPING)
    assert found.preview.startable
    assert [(k.use, k.name) for k in found.plan.keypairs] == [(None, f"{other.name}-drill")]


def test_all_names_tell_of_the_drill_but_host_names_and_what_is_used() -> None:
    before = drill(point(), target(), MAPPING).plan
    plan = mark(before, DRILL)
    names = [
        *(s.record.name for s in plan.servers), *(v.record.name for v in plan.volumes),
        *(p.record.name for p in plan.ports), *(n.name for n in plan.networks), *(r.name for r in plan.routers),
        *(s.record.name for n in plan.networks for s in n.subnets), *(g.name for g in plan.security_groups),
        *(g.record.name for g in plan.server_groups), *(k.name for k in plan.keypairs if k.use is None),
        *(f.name for f in plan.flavors if f.use is None),
    ]  # fmt: skip
    assert [name for name in names if not name.endswith("-drill-0a1b2c3d")] == []
    assert [s.record.hostname for s in plan.servers] == [s.record.hostname for s in before.servers]
    keys = {k.name for k in plan.keypairs}
    assert {s.key_name for s in plan.servers} <= {*keys, None}
    assert plan.drill == DRILL
    assert type(plan).from_json(plan.to_json()) == plan
