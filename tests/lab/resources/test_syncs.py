"""Security groups, server groups, flavors and volume types of two real sites kept in sync; sizes: acceptance of R2, R3.

Compared by a client that knows nothing of Multisite.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from multisite_lab import vnf
from multisite_lab.manager import CommandFailed, Manager

GROUPS, FLAVORS = int(os.environ.get("MULTISITE_SYNC_GROUPS", "200")), 50
PREFIX = "step-"
KINDS = ("--kind", "security-group", "--kind", "server-group", "--kind", "flavor", "--kind", "volume-type")
SITES = ("site1", "site2")


def groups(site: str) -> dict[str, list[str]]:
    """Rules by the name of their group; groups in them by name."""
    cloud = vnf.connect(site)
    rows = list(cloud.network.security_groups(project_id=cloud.current_project_id))
    names = {g.id: g.name for g in rows}
    return {
        g.name: sorted(
            f"{r['direction']} {r['ethertype']} {r['protocol']} {r['port_range_min']} {r['port_range_max']} "
            f"{r['remote_ip_prefix']} {names.get(r['remote_group_id'])} {r['description'] or ''}"
            for r in g.security_group_rules
        )
        for g in rows
        if g.name.startswith(PREFIX)
    }


def flavors(site: str) -> dict[str, Any]:
    cloud = vnf.connect(f"{site}-admin")
    found = cloud.compute.flavors(details=True, is_public=None, get_extra_specs=True)
    return {
        f.name: (f.vcpus, f.ram, f.disk, f.is_public, f.description, f.extra_specs)
        for f in found
        if f.name.startswith(PREFIX)
    }


def types(site: str) -> dict[str, Any]:
    cloud = vnf.connect(f"{site}-admin")
    return {
        t.name: (t.description, {k: v for k, v in t.extra_specs.items() if k != "volume_backend_name"})
        for t in cloud.block_storage.types()
        if t.name.startswith(PREFIX)
    }


def server_groups(site: str) -> set[tuple[str, str]]:
    found = vnf.connect(site).compute.server_groups()
    return {(g.name, g.policy) for g in found if g.name.startswith(PREFIX)}


def everything(site: str) -> tuple[Any, ...]:
    return groups(site), flavors(site), types(site), server_groups(site)


def unlike() -> list[str]:
    """What is not the same at both sites, by name."""
    found = []
    for here, there in zip(everything("site1"), everything("site2"), strict=True):
        if isinstance(here, set):
            found += [str(one) for one in here ^ there]
            continue
        for name in sorted({*here, *there}):
            if here.get(name) != there.get(name):
                found.append(f"{name}: {here.get(name)} / {there.get(name)}")
    return found


def furnish() -> None:
    cloud, admin = vnf.connect("site1"), vnf.connect("site1-admin")
    cloud.network.update_quota(cloud.current_project_id, security_group=1000, security_group_rule=5000)
    vnf.connect("site2-admin").network.update_quota(
        vnf.connect("site2").current_project_id, security_group=1000, security_group_rule=5000
    )
    made = [cloud.network.create_security_group(name=f"{PREFIX}{n}").id for n in range(GROUPS)]
    for n, group in enumerate(made):
        cloud.network.create_security_group_rule(
            security_group_id=group, direction="ingress", protocol="tcp", port_range_min=n + 1, port_range_max=n + 9,
            remote_group_id=made[(n + 1) % GROUPS], description=f"from the next of {n}",
        )  # fmt: skip
    for n in range(FLAVORS):
        flavor = admin.compute.create_flavor(
            name=f"{PREFIX}{n}", vcpus=n % 8 + 1, ram=256 * (n + 1), disk=n % 5, is_public=n % 2 == 0
        )
        admin.compute.create_flavor_extra_specs(flavor, {"hw:cpu_policy": "shared", "n": str(n)})
    for n in range(5):
        kind = admin.block_storage.create_type(name=f"{PREFIX}{n}", description=f"type {n}")
        admin.block_storage.update_type_extra_specs(kind, tier=str(n))
        body = {"server_group": {"name": f"{PREFIX}{n}", "policy": "anti-affinity"}}
        assert cloud.compute.post("/os-server-groups", json=body, microversion="2.64").ok


@pytest.fixture(autouse=True, scope="module")
def tidy() -> Iterator[None]:
    remove()
    yield
    remove()


def remove() -> None:
    for site in SITES:
        cloud, admin = vnf.connect(site), vnf.connect(f"{site}-admin")
        mine = [g for g in cloud.network.security_groups() if g.name.startswith(PREFIX)]
        for group in mine:
            for rule in group.security_group_rules:
                if rule["remote_group_id"]:
                    cloud.network.delete_security_group_rule(rule["id"])
        for group in mine:
            cloud.network.delete_security_group(group)
        for flavor in admin.compute.flavors(is_public=None):
            if flavor.name.startswith(PREFIX):
                admin.compute.delete_flavor(flavor)
        for kind in admin.block_storage.types():
            if kind.name.startswith(PREFIX):
                admin.block_storage.delete_type(kind)
        for group in cloud.compute.server_groups():
            if group.name.startswith(PREFIX):
                cloud.compute.delete_server_group(group)


def apply(service: Manager, *more: str) -> dict[str, Any]:
    """A pass; its exit status may be that of something that is told."""
    begun = time.monotonic()
    try:
        found: dict[str, Any] = service.cli("resource", "sync", "apply", "step", *more)
    except CommandFailed:
        found = service.cli("resource", "sync", "show", "step")
    print(
        f"a pass of {time.monotonic() - begun:.1f} s: {found['result']['counts']}, {found['result']['told'][:3]}"
    )
    return found


def test_first_apply_then_nothing_then_drift_on_both_sides(service: Manager) -> None:
    furnish()
    service.cli(
        "resource", "sync", "create", "step", "--source-site", "site1", "--target-site", "site2", *KINDS,
        "--on-conflict", "source",
    )  # fmt: skip
    apply(service)
    assert unlike() == []
    again = apply(service)
    assert again["result"]["counts"] == {}
    assert again["result"]["in_sync"] is True, again["result"]["told"]
    drift(random.Random(5))
    apply(service)
    apply(service)
    assert unlike() == []


def drift(dice: random.Random) -> None:
    """Of each twentieth of the groups and flavors something is changed or deleted, on either side."""
    for n in dice.sample(range(GROUPS), max(1, GROUPS // 20)):
        cloud = vnf.connect(dice.choice(SITES))
        group = cloud.network.find_security_group(f"{PREFIX}{n}", ignore_missing=False)
        act = dice.choice(("rule", "describe", "less"))
        if act == "rule":
            cloud.network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", protocol="icmp"
            )
        elif act == "describe":
            cloud.network.update_security_group(group, description="by hand")
        else:
            cloud.network.delete_security_group_rule(group.security_group_rules[0]["id"])
    for n in dice.sample(range(FLAVORS), max(1, FLAVORS // 20)):
        admin = vnf.connect(f"{dice.choice(SITES)}-admin")
        flavor = admin.compute.find_flavor(f"{PREFIX}{n}", ignore_missing=False)
        if dice.random() < 0.5:
            admin.compute.create_flavor_extra_specs(flavor, {"drift": "1"})
        else:
            admin.compute.delete_flavor(flavor)
