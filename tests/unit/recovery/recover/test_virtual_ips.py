"""Which virtual IPs get a port at the target: those that DHCP of a new subnet could take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.findings import Severity
from multisite.domain.manifest import Manifest
from multisite.recovery.recover.target_facts import TargetNetwork, TargetPort, TargetSubnet
from tests.unit.recovery.recover_samples import facts, look, made, manifest

POOL = ({"start": "10.0.0.2", "end": "10.0.0.200"},)
THERE = TargetNetwork(
    "t-n0", "plane0", "t-proj", subnets=(TargetSubnet("t-s0", "", "t-n0", "10.0.0.0/24", 4),)
)


def allowing(*addresses: str, **subnet: Any) -> Manifest:
    """Both servers may use the addresses in the first network; ``subnet``: fields of its subnet."""
    found = manifest()
    pairs = tuple({"ip_address": address} for address in addresses)
    ports = (replace(p, allowed_address_pairs=pairs) if p.network_id == "n0" else p for p in found.ports)
    first, *others = found.subnets
    changed = replace(first, **{"allocation_pools": POOL, "gateway_address": "10.0.0.1", **subnet})
    return replace(found, ports=tuple(ports), subnets=(changed, *others))


def reserved(point: Manifest, **mapping: Any) -> list[str | None]:
    known = {p.id for p in point.ports}
    plan = made(point, facts(networks=(THERE,) if mapping else ()), mapping)
    return [p.addresses[0].address for p in plan.ports if p.record.id not in known]


@pytest.mark.parametrize(
    ("point", "addresses"),
    [
        (allowing("10.0.0.5", "10.0.0.6"), ["10.0.0.5", "10.0.0.6"]),
        (allowing("10.0.0.1"), []),
        (allowing("10.0.0.10"), []),
        (allowing("10.0.0.201"), []),
        (allowing("10.0.0.0/24"), []),
        (allowing("10.0.0.5", dhcp=False), []),
        (allowing(), []),
    ],
    ids=["named alone", "the gateway", "a server's own", "outside of the pool", "a range", "no DHCP", "none"],
)
def test_an_address_that_dhcp_could_take_is_reserved_once(point: Manifest, addresses: list[str]) -> None:
    assert reserved(point) == addresses


def test_in_an_existing_network_none_is_made_and_one_in_use_is_told_of() -> None:
    point, mapping = allowing("10.0.0.5", "10.0.0.6"), {"networks": {"plane0": "t-n0"}}
    assert reserved(point, **mapping) == []
    taken = TargetPort("t-p", "t-n0", "fa:16:3e:99:99:99", ("10.0.0.5",))
    found = look(point, facts(networks=(THERE,), ports=(taken,)), mapping)
    (note,) = [p for p in found.problems if p.severity is Severity.NOTE and "servers may use" in p.what]
    assert "10.0.0.5" in note.what
    assert "port t-p" in note.what
