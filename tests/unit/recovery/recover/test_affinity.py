"""Server groups whose policy the target has too few hosts for, or zones that do not go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.findings import Finding, Severity, blockers
from multisite.domain.manifest import Manifest
from multisite.recovery.recover.target_facts import ComputeHost, TargetServerGroup
from tests.unit.recovery.recover_samples import facts, look, manifest


def hosts(*zones: str) -> tuple[ComputeHost, ...]:
    return tuple(ComputeHost(f"c{n}", zone) for n, zone in enumerate(zones, 1))


def point(*zones: str | None, policy: str = "anti-affinity") -> Manifest:
    """A server in each of these zones, all in one group."""
    made = manifest(len(zones))
    servers = tuple(replace(s, availability_zone=z) for s, z in zip(made.servers, zones, strict=True))
    return replace(made, servers=servers, server_groups=(replace(made.server_groups[0], policy=policy),))


def obstacles(made: Manifest, mapping: Any = None, **more: Any) -> tuple[Finding, ...]:
    target = facts(availability_zones=("nova", "az-b"), volume_zones=("nova", "az-b"), **more)
    return blockers(look(made, target, mapping).problems)


@pytest.mark.parametrize(
    ("zones", "there", "said"),
    [
        ((None, None), ("nova",), "it will have 2 servers, and lyon has 1 compute host up"),
        ((None, None), ("nova", "az-b"), None),
        (
            ("nova", "nova"),
            ("nova", "az-b"),
            "2 servers in zone nova, and lyon has 1 compute host up in zone nova",
        ),
        (("nova", "az-b"), ("nova", "az-b"), None),
        (("nova", None, None), ("nova", "az-b"), "it will have 3 servers, and lyon has 2 compute hosts up"),
        ((None,), ("nova",), None),
        ((None, None), (), "lyon has 0 compute hosts up"),
    ],
)
def test_members_apart_need_a_host_each(
    zones: tuple[str | None, ...], there: tuple[str, ...], said: str | None
) -> None:
    found = obstacles(point(*zones), compute_hosts=hosts(*there))
    assert [f.kind for f in found] == (["server group apart"] if said else [])
    assert said is None or said in found[0].what


def test_the_remedy_is_a_softer_group() -> None:
    (found,) = obstacles(point(None, None), compute_hosts=hosts("nova"))
    assert (
        "openstack server group create --policy soft-anti-affinity apart-soft-anti-affinity, and "
        "--map server-group:apart=apart-soft-anti-affinity" in found.remedy
    )
    softer = TargetServerGroup("t1", "softer", "soft-anti-affinity")
    mapping = {"server_groups": {"apart": "softer"}}
    assert obstacles(point(None, None), mapping, compute_hosts=hosts("nova"), server_groups=(softer,)) == ()


@pytest.mark.parametrize(("members", "per_host", "enough"), [(0, 1, True), (1, 1, False), (1, 2, True)])
def test_a_group_of_the_target_has_members_and_rules(members: int, per_host: int, enough: bool) -> None:
    group = TargetServerGroup("t1", "theirs", "anti-affinity", members, per_host)
    mapping = {"server_groups": {"apart": "theirs"}}
    found = obstacles(point(None, None), mapping, compute_hosts=hosts("nova", "az-b"), server_groups=(group,))
    assert (found == ()) is enough


def test_hosts_that_are_not_told_are_unknown() -> None:
    target = facts(unknown={"compute_hosts": "HTTP 403"})
    found = [p for p in look(point(None, None), target).problems if p.kind == "server group apart"]
    assert [(p.severity, "HTTP 403" in p.what) for p in found] == [(Severity.UNKNOWN, True)]
    assert not [p for p in look(point(None), target).problems if p.kind == "server group apart"]


def test_members_that_belong_together_are_not_in_two_zones() -> None:
    (found,) = obstacles(point("nova", "az-b", policy="affinity"))
    assert "asked into the zones az-b, nova" in found.what
    assert obstacles(point("nova", None, policy="affinity")) == ()
    together = {"availability_zones": {"az-b": "nova"}}
    assert obstacles(point("nova", "az-b", policy="affinity"), together) == ()
