"""Networks, groups and ports at a target, beyond what whole recoveries show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds import networks, resources
from multisite.clouds.errors import ConflictInSite, Failed
from multisite.domain.manifest import (
    FixedAddress,
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    SubnetRecord,
)
from tests.unit.simulated import SimulatedSite, simulated_target

TOKEN = "multisite:job-1:thing-1"
NETWORK = NetworkRecord("n0", "plane", 1500, description="data plane")
SUBNET = SubnetRecord("s0", "n0", "sub", "10.0.0.0/24", 4, None, dhcp=True)
PORT = PortRecord("p0", "web", "n0", "fa:16:3e:00:00:01", (FixedAddress("s0", "10.0.0.10"),))


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    return simulated_target(monkeypatch)


def group(target: SimulatedSite) -> str:
    return networks.ensure_security_group(
        target.site, f"{TOKEN}-g", SecurityGroupRecord("g0", "front"), "front"
    )


def plug(target: SimulatedSite, record: PortRecord = PORT, **more: Any) -> networks.MadePort:
    site = target.site
    network_id = networks.ensure_network(site, f"{TOKEN}-n", NETWORK, "plane")
    subnet_id = networks.ensure_subnet(site, f"{TOKEN}-s", SUBNET, network_id)
    asked = {"subnet_id": subnet_id, "ip_address": record.fixed_addresses[0].address}
    values: dict[str, Any] = {
        "network_id": network_id, "mac_address": record.mac_address, "fixed_ips": [asked],
        "security_group_ids": [group(target)],
    }  # fmt: skip
    return networks.ensure_port(site, TOKEN, record, **(values | more))


def test_found_again_by_its_token_with_its_own_description(target: SimulatedSite) -> None:
    made = [networks.ensure_network(target.site, TOKEN, NETWORK, "plane") for _ in range(2)]
    (row,) = target.state.networks.values()
    assert made == [row["id"], row["id"]]
    assert (row["tags"], row["description"], row["mtu"]) == ([TOKEN], "data plane", 1500)


def test_a_fresh_one_is_made_without_looking(target: SimulatedSite) -> None:
    networks.ensure_network(target.site, TOKEN, NETWORK, "plane", fresh=True)
    assert [(s.method, s.path) for s in target.sent if s.method == "GET" or s.path == "/networks"] == [
        ("POST", "/networks")
    ]


def test_dhcp_is_off_until_it_is_switched_on(target: SimulatedSite) -> None:
    site = target.site
    network_id = networks.ensure_network(site, f"{TOKEN}-n", NETWORK, "plane")
    subnet_id = networks.ensure_subnet(site, TOKEN, SUBNET, network_id)
    row = target.state.subnets[subnet_id]
    assert (row["enable_dhcp"], row["gateway_ip"]) == (False, None)
    networks.enable_dhcp(site, subnet_id)
    assert row["enable_dhcp"]


@pytest.mark.parametrize(
    ("change", "waits"),
    [({}, True), ({"dhcp": False}, False), ({"ipv6_ra_mode": "slaac"}, False)],
)
def test_where_dhcp_can_wait(change: dict[str, Any], waits: bool) -> None:
    assert networks.dhcp_can_wait(replace(SUBNET, **change)) is waits


def test_a_port_keeps_everything(target: SimulatedSite) -> None:
    pairs = ({"ip_address": "10.0.0.99"},)
    made = plug(target, replace(PORT, allowed_address_pairs=pairs, vnic_type="direct"))
    row = target.state.ports[made.id]
    assert made.addresses == ("10.0.0.10",)
    assert row["allowed_address_pairs"] == [{"ip_address": "10.0.0.99", "mac_address": PORT.mac_address}]
    assert (row["binding:vnic_type"], row["security_groups"]) == ("direct", [group(target)])


def test_without_port_security_there_are_no_groups(target: SimulatedSite) -> None:
    made = plug(target, replace(PORT, port_security_enabled=False))
    row = target.state.ports[made.id]
    assert (row["port_security_enabled"], row["security_groups"]) == (False, [])
    assert row["allowed_address_pairs"] == []


@pytest.mark.parametrize(("default", "wanted"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("anothers", [False, True])
def test_port_security_is_the_records_whatever_the_networks_default(
    target: SimulatedSite, default: bool, wanted: bool, anothers: bool
) -> None:
    network = target.add_network("n", port_security_enabled=default)
    if anothers:
        network |= {"project_id": "another", "shared": True}
    values: dict[str, Any] = {"network_id": "n", "mac_address": None, "fixed_ips": None}
    values["security_group_ids"] = [group(target)]
    made = networks.ensure_port(target.site, TOKEN, replace(PORT, port_security_enabled=wanted), **values)
    row = target.state.ports[made.id]
    assert (row["port_security_enabled"], row["security_groups"]) == (
        wanted,
        [group(target)] if wanted else [],
    )
    (asked,) = target.bodies("POST", "/ports")
    # In another's network only its owner may say it: a member does not when it need not.
    assert ("port_security_enabled" in asked["port"]) is not (anothers and default == wanted)


def test_a_neutron_without_port_security_is_not_asked_for_it(target: SimulatedSite) -> None:
    target.add_network("n", port_security_enabled=None)
    made = networks.ensure_port(
        target.site, TOKEN, PORT, network_id="n", mac_address=None, fixed_ips=None, security_group_ids=[]
    )
    assert made.id in target.state.ports
    (asked,) = target.bodies("POST", "/ports")
    assert "port_security_enabled" not in asked["port"]


def test_another_address_than_expected_is_a_failure(target: SimulatedSite) -> None:
    with pytest.raises(Failed, match=r"it has 10\.0\.0\.10, not 10\.0\.0\.77"):
        plug(target, expected=("10.0.0.77",))


def test_an_address_in_use(target: SimulatedSite) -> None:
    plug(target)
    with pytest.raises(ConflictInSite, match="already allocated"):
        networks.ensure_port(
            target.site, f"{TOKEN}-2", PORT,
            network_id=next(iter(target.state.networks)), mac_address="fa:16:3e:00:00:02",
            fixed_ips=[{"subnet_id": next(iter(target.state.subnets)), "ip_address": "10.0.0.10"}],
            security_group_ids=(),
        )  # fmt: skip


def test_rules_are_exactly_those_wanted_and_set_once(target: SimulatedSite) -> None:
    site = target.site
    rules = (
        SecurityGroupRule("egress", "IPv4"),
        SecurityGroupRule("ingress", "IPv4", "tcp", 80, 80, "10.0.0.0/8", description="web"),
        SecurityGroupRule("ingress", "IPv4", remote_group_id="src"),
    )
    record = SecurityGroupRecord("src", "front", rules=rules)
    group_id = networks.ensure_security_group(site, TOKEN, record, "front")
    networks.set_rules(site, group_id, record, {"src": group_id})
    found = target.state.security_groups[group_id]["security_group_rules"]
    shapes = [(r["direction"], r["ethertype"], r["port_range_min"], r["remote_group_id"]) for r in found]
    assert shapes == [
        ("egress", "IPv4", None, None),
        ("ingress", "IPv4", 80, None),
        ("ingress", "IPv4", None, group_id),
    ]
    target.sent.clear()
    networks.set_rules(site, group_id, record, {"src": group_id})
    assert [s.method for s in target.sent] == ["GET"]


def test_remove_takes_the_token_and_the_id(target: SimulatedSite) -> None:
    site = target.site
    by_token = networks.ensure_network(site, TOKEN, NETWORK, "plane")
    by_id = networks.ensure_network(site, f"{TOKEN}-lost-its-tag", NETWORK, "plane")
    assert resources.remove(site, "network", TOKEN, by_id) == 2
    assert by_token not in target.state.networks
    assert resources.remove(site, "network", TOKEN, by_id) == 1, "gone is as good"
    assert target.left() == {}
