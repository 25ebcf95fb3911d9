"""SR-IOV ports: kept where the target is known to give them, else a loss; unknown is not absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.findings import Finding, Severity
from multisite.recovery.recover.passthrough import SRIOV_AGENT, needs_sriov
from multisite.recovery.recover.target_facts import TargetNetwork, TargetSubnet
from tests.unit.recovery.recover_samples import facts, look, made, manifest

MAPPED = {"networks": {"n0": "t-n0"}}
THERE = (
    TargetNetwork("t-n0", "theirs", "t-proj", subnets=(TargetSubnet("t-s0", "", "t-n0", "10.0.0.0/24", 4),)),
)
LOSS = {"accept_loss": ["sr-iov-port:p-web1-0"]}


def with_port(**more: Any) -> Any:
    """The first port of the first server is an SR-IOV one."""
    point = manifest(1)
    return replace(
        point, ports=(replace(point.ports[0], **({"vnic_type": "direct"} | more)), *point.ports[1:])
    )


def said(point: Any, agents: Any = (), mapping: Any = MAPPED, **more: Any) -> list[Finding]:
    target = facts(networks=THERE, nic_agents=frozenset(agents), **more)
    return [f for f in look(point, target, mapping).problems if f.kind.startswith("port ")]


def test_it_stays_where_an_agent_is_up_and_its_network_is_mapped() -> None:
    point = with_port()
    assert said(point, [SRIOV_AGENT]) == []
    target = facts(networks=THERE, nic_agents=frozenset([SRIOV_AGENT]))
    assert made(point, target, MAPPED).ports[0].record.vnic_type == "direct"
    assert needs_sriov(point)
    assert not needs_sriov(manifest(1)), "then agents are not asked for"


@pytest.mark.parametrize(
    ("words", "agents", "mapping", "more"),
    [
        ("no NIC Switch agent is up at lyon", ["DHCP agent"], MAPPED, {}),
        ("is unknown: no answer", [], MAPPED, {"unknown": {"nic_agents": "no answer"}}),
        ("its network would be an overlay", [SRIOV_AGENT], {}, {}),
    ],
)
def test_else_it_is_a_loss(words: str, agents: Any, mapping: Any, more: Any) -> None:
    point = with_port(binding_profile={"trusted": "true"})
    (found,) = said(point, agents, mapping, **more)
    assert found.severity is Severity.BLOCKING
    assert words in found.what
    assert "--accept-loss sr-iov-port:" in found.remedy
    target = facts(networks=THERE, nic_agents=frozenset(agents), **more)
    record = made(point, target, mapping | LOSS).ports[0].record
    assert (record.vnic_type, record.binding_profile) == ("normal", {})


def test_with_hardware_offload_nobody_can_be_asked() -> None:
    (found,) = said(with_port(binding_profile={"capabilities": ["switchdev"]}))
    assert found.severity is Severity.NOTE
    assert "hardware offload" in found.what
