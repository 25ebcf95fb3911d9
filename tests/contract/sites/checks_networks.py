"""What Multisite relies on in Neutron."""

from __future__ import annotations

import time
from typing import Any

import pytest

from multisite.clouds import networks, resources
from multisite.clouds.errors import ConflictInSite, OverQuota
from multisite.clouds.quotas import headroom
from multisite.domain.manifest import (
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    SubnetRecord,
)
from tests.contract.sites.pair import Check, Pair, refused, send, where_neutron_has
from tests.sim.deploy import ask

NOWHERE = "00000000-1111-2222-3333-444444444444"
MAC = "fa:16:3e:77:00:01"


def a_network_is_made_once_and_removed_by_its_token(pair: Pair) -> None:
    one = pair.one
    wanted, token = pair.token("net"), pair.token("subnet")
    record = NetworkRecord("", pair.name("net"), None, True, "its own words", shared=False, external=False)
    made = networks.ensure_network(one, wanted, record, record.name)
    pair.later(resources.remove, one, "network", wanted)
    assert networks.ensure_network(one, wanted, record, record.name) == made
    row = ask(one.network, "GET", f"/networks/{made}")["network"]
    assert (row["description"], row["tags"], row["status"]) == ("its own words", [wanted], "ACTIVE")
    subnet = SubnetRecord(
        "", made, pair.name("sub"), "10.78.0.0/24", 4, None, True, (), (), (), None, None, ""
    )
    subnet_id = networks.ensure_subnet(one, token, subnet, made)
    assert not ask(one.network, "GET", f"/subnets/{subnet_id}")["subnet"]["enable_dhcp"]
    networks.enable_dhcp(one, subnet_id)
    row = ask(one.network, "GET", f"/subnets/{subnet_id}")["subnet"]
    assert (row["enable_dhcp"], row["gateway_ip"], row["cidr"]) == (True, None, "10.78.0.0/24")
    assert [f.id for f in resources.find(one, "subnet", token)] == [subnet_id]
    assert resources.remove(one, "subnet", token) == 1
    assert resources.remove(one, "network", wanted) == 1
    refused(send(one.network, "GET", f"/networks/{made}"), 404, made)


def a_port_keeps_mac_and_address(pair: Pair) -> None:
    one, network_id, token = pair.one, pair.network(), pair.token("port")
    record = PortRecord("", pair.name("port"), network_id, MAC, (), (), True, (), "normal", "words")
    asked: dict[str, Any] = {
        "network_id": network_id,
        "mac_address": MAC,
        "fixed_ips": [{"ip_address": "10.77.0.50"}],
        "security_group_ids": [],
        "expected": ["10.77.0.50"],
    }
    made = networks.ensure_port(one, token, record, **asked)
    pair.later(resources.remove, one, "port", token)
    assert networks.ensure_port(one, token, record, **asked) == made
    assert (made.mac_address, made.addresses) == (MAC, ("10.77.0.50",))
    row = ask(one.network, "GET", f"/ports/{made.id}")["port"]
    assert (row["status"], row["security_groups"], row["description"]) == ("DOWN", [], "words")
    assert [f.id for f in resources.find(one, "port", token)] == [made.id]
    assert resources.remove(one, "port", token) == 1
    refused(send(one.network, "GET", f"/ports/{made.id}"), 404, "could not be found")


def a_binding_profile_is_for_administrators(pair: Pair) -> None:
    network = pair.network()
    body = {"port": {"network_id": network, "binding:profile": {"trusted": True}}}
    refused(send(pair.member.network, "POST", "/ports", body), 403, "disallowed by policy")
    port, change = pair.port(network), {"port": {"binding:profile": {"trusted": True}}}
    refused(send(pair.member.network, "PUT", f"/ports/{port}", change), 403, "disallowed by policy")
    assert "binding:profile" not in ask(pair.member.network, "GET", f"/ports/{port}")["port"]


def a_mac_address_is_in_a_network_once(pair: Pair) -> None:
    network_id = pair.network()
    pair.port(network_id, mac_address=MAC)
    body = {"port": {"network_id": network_id, "mac_address": MAC}}
    answer = send(pair.one.network, "POST", "/ports", body)
    if answer.status_code == 201:
        pair.later(send, pair.one.network, "DELETE", f"/ports/{answer.json()['port']['id']}")
    refused(answer, 409, MAC, "in use")
    assert answer.json()["NeutronError"]["type"] == "MacAddressInUse"


def an_address_is_in_a_subnet_once(pair: Pair) -> None:
    network_id = pair.network()
    pair.port(network_id, fixed_ips=[{"ip_address": "10.77.0.60"}])

    def asked(address: str, status: int, *words: str) -> None:
        body = {"port": {"network_id": network_id, "fixed_ips": [{"ip_address": address}]}}
        answer = send(pair.one.network, "POST", "/ports", body)
        if answer.status_code == 201:
            pair.later(send, pair.one.network, "DELETE", f"/ports/{answer.json()['port']['id']}")
        refused(answer, status, *words)

    asked("10.77.0.60", 409, "10.77.0.60", "already allocated")
    asked("192.0.2.1", 400, "192.0.2.1")
    record = PortRecord("", pair.name("p"), network_id, MAC, (), (), True, (), "normal", "")
    with pytest.raises(ConflictInSite):
        networks.ensure_port(
            pair.one, pair.token("p"), record, network_id=network_id, mac_address=None,
            fixed_ips=[{"ip_address": "10.77.0.60"}], security_group_ids=[],
        )  # fmt: skip


def a_port_without_device_keeps_a_virtual_ip(pair: Pair) -> None:
    """It is shown as nobody's, and a pair without a MAC address with that of its port."""
    network_id = pair.network()
    virtual = pair.port(network_id, fixed_ips=[{"ip_address": "10.77.0.70"}])
    row = ask(pair.one.network, "GET", f"/ports/{virtual}")["port"]
    assert (row["device_id"], row["device_owner"]) == ("", "")
    member = pair.port(network_id, mac_address=MAC, allowed_address_pairs=[{"ip_address": "10.77.0.70"}])
    shown = ask(pair.one.network, "GET", f"/ports/{member}")["port"]["allowed_address_pairs"]
    assert shown == [{"ip_address": "10.77.0.70", "mac_address": MAC}]


def what_is_in_use_is_not_deleted(pair: Pair) -> None:
    network_id = pair.network()
    group = _group(pair)
    port_id = pair.port(network_id, security_groups=[group])
    subnet_id = ask(pair.one.network, "GET", f"/networks/{network_id}")["network"]["subnets"][0]
    refused(send(pair.one.network, "DELETE", f"/networks/{network_id}"), 409, "still in use", port_id)
    refused(send(pair.one.network, "DELETE", f"/subnets/{subnet_id}"), 409, subnet_id)
    refused(send(pair.one.network, "DELETE", f"/security-groups/{group}"), 409, "in use")
    for path in ("/networks", "/subnets", "/ports", "/security-groups"):
        refused(send(pair.one.network, "GET", f"{path}/{NOWHERE}"), 404, NOWHERE)


def _group(pair: Pair) -> str:
    body = {"security_group": {"name": pair.name("group")}}
    made = ask(pair.one.network, "POST", "/security-groups", body)["security_group"]["id"]
    pair.later(send, pair.one.network, "DELETE", f"/security-groups/{made}")
    return str(made)


def a_security_group_gets_exactly_its_rules(pair: Pair) -> None:
    one, token = pair.one, pair.token("group")
    rule = SecurityGroupRule("ingress", "IPv4", "tcp", 22, 22, "10.0.0.0/8", None, "ssh")
    own = SecurityGroupRule("ingress", "IPv4", "icmp", None, None, None, "source", "")
    record = SecurityGroupRecord("source", pair.name("group"), "", True, (rule, own))
    made = networks.ensure_security_group(one, token, record, record.name)
    pair.later(resources.remove, one, "security_group", token)

    def rules() -> list[tuple[str, str, str | None]]:
        row = ask(one.network, "GET", f"/security-groups/{made}")["security_group"]
        return sorted((r["direction"], r["ethertype"], r["protocol"]) for r in row["security_group_rules"])

    assert rules() == [("egress", "IPv4", None), ("egress", "IPv6", None)], "Neutron's own"
    for _ in range(2):
        networks.set_rules(one, made, record, {"source": made})
        assert rules() == [("ingress", "IPv4", "icmp"), ("ingress", "IPv4", "tcp")]
    same = {
        "security_group_id": made, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.0/8",
    }  # fmt: skip
    answer = send(one.network, "POST", "/security-group-rules", {"security_group_rule": same})
    refused(answer, 409, "already exists")


def _ports_in_use(pair: Pair) -> int:
    """Once it rests: a DHCP agent makes and removes ports some time after the networks."""
    before = -1
    while before != (now := headroom(pair.one)["network"]["port"].used):
        before = now
        time.sleep(2 * pair.tick)
    return now


def a_used_up_network_quota_is_409(pair: Pair) -> None:
    network_id = pair.network()
    with pair.quota("network", port=_ports_in_use(pair)):
        answer = send(pair.one.network, "POST", "/ports", {"port": {"network_id": network_id}})
        if answer.status_code == 201:
            pair.later(send, pair.one.network, "DELETE", f"/ports/{answer.json()['port']['id']}")
        refused(answer, 409, "Quota exceeded", "port")
        record = PortRecord("", pair.name("p"), network_id, MAC, (), (), True, (), "normal", "")
        with pytest.raises(OverQuota):
            networks.ensure_port(
                pair.one, pair.token("p"), record, network_id=network_id, mac_address=None,
                fixed_ips=None, security_group_ids=[],
            )  # fmt: skip


def the_ports_of_a_server_are_its_own(pair: Pair) -> None:
    machine = pair.machine()
    rows = resources.list_all(pair.one, "port", device_id=machine.id)
    assert {row["id"] for row in rows} == set(machine.made.ports)
    assert {row["status"] for row in rows} == {"ACTIVE"}
    assert {row["device_owner"].partition(":")[0] for row in rows} == {"compute"}


@where_neutron_has("qos")
def a_qos_policy_is_found_by_id_and_kept_while_it_is_used(pair: Pair) -> None:
    """Of ports and networks; none is the default, and one that is not there is refused."""
    body = {"policy": {"name": pair.name("policy")}}
    made = ask(pair.one.network, "POST", "/qos/policies", body)["policy"]["id"]
    pair.later(send, pair.one.network, "DELETE", f"/qos/policies/{made}")
    listed = ask(pair.one.network, "GET", f"/qos/policies?id={made}&id={NOWHERE}")["policies"]
    assert [row["id"] for row in listed] == [made]
    assert ask(pair.member.network, "GET", f"/qos/policies/{made}")["policy"]["shared"] is False
    network = pair.network()
    assert ask(pair.one.network, "GET", f"/networks/{network}")["network"]["qos_policy_id"] is None
    port = pair.port(network, qos_policy_id=made)
    assert ask(pair.one.network, "GET", f"/ports/{port}")["port"]["qos_policy_id"] == made
    refused(send(pair.one.network, "DELETE", f"/qos/policies/{made}"), 409)
    ask(pair.one.network, "PUT", f"/networks/{network}", {"network": {"qos_policy_id": made}})
    for path, key in ((f"/networks/{network}", "network"), (f"/ports/{port}", "port")):
        body = {key: {"qos_policy_id": NOWHERE}}
        refused(send(pair.one.network, "PUT", path, body), 404, f"QoS policy {NOWHERE} could not be found")


@where_neutron_has("qos")
def a_qos_policy_has_a_rule_of_a_type_and_direction_once(pair: Pair) -> None:
    """Rules are shown with it, each with its type; a minimum is not above the limit; another project changes none."""
    network = pair.one.network
    made = ask(network, "POST", "/qos/policies", {"policy": {"name": pair.name("policy")}})["policy"]["id"]
    path = f"/qos/policies/{made}"
    pair.later(send, network, "DELETE", path)
    limit = {"max_kbps": 1000, "max_burst_kbps": 100, "direction": "egress"}
    body = {"bandwidth_limit_rule": limit}
    rule = ask(network, "POST", f"{path}/bandwidth_limit_rules", body)["bandwidth_limit_rule"]
    ask(network, "POST", f"{path}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 26}})
    least = {"min_kbps": 500, "direction": "egress"}
    ask(network, "POST", f"{path}/minimum_bandwidth_rules", {"minimum_bandwidth_rule": least})
    rows = {row["type"]: row for row in ask(network, "GET", path)["policy"]["rules"]}
    assert set(rows) == {"bandwidth_limit", "dscp_marking", "minimum_bandwidth"}
    assert {name: rows["bandwidth_limit"][name] for name in limit} == limit
    assert (rows["dscp_marking"]["dscp_mark"], rows["minimum_bandwidth"]["min_kbps"]) == (26, 500)
    refused(send(network, "POST", f"{path}/bandwidth_limit_rules", body), 409)
    one = f"{path}/bandwidth_limit_rules/{rule['id']}"
    refused(send(network, "PUT", one, {"bandwidth_limit_rule": {"max_kbps": 400}}), 409)
    refused(send(pair.member.network, "PUT", one, {"bandwidth_limit_rule": {"max_kbps": 2000}}), 403)
    ask(network, "PUT", one, {"bandwidth_limit_rule": {"max_kbps": 2000}})
    ask(network, "PUT", path, {"policy": {"description": "changed"}})
    (found,) = ask(network, "GET", f"/qos/policies?id={made}")["policies"]
    assert found["description"] == "changed"
    assert 2000 in [row.get("max_kbps") for row in found["rules"]]
    assert send(network, "DELETE", one).status_code == 204
    assert "bandwidth_limit" not in {row["type"] for row in ask(network, "GET", path)["policy"]["rules"]}
    refused(send(network, "DELETE", one), 404)


def agents_are_shown_to_administrators(pair: Pair) -> None:
    """Whether each is up; to others an empty list, which is no answer."""
    rows = ask(pair.one.network, "GET", "/agents")["agents"]
    assert {"DHCP agent"} <= {row["agent_type"] for row in rows if row["alive"] and row["admin_state_up"]}
    assert ask(pair.member.network, "GET", "/agents")["agents"] == []


CHECKS: tuple[Check, ...] = (
    a_network_is_made_once_and_removed_by_its_token,
    a_port_keeps_mac_and_address,
    a_binding_profile_is_for_administrators,
    a_mac_address_is_in_a_network_once,
    an_address_is_in_a_subnet_once,
    a_port_without_device_keeps_a_virtual_ip,
    what_is_in_use_is_not_deleted,
    a_security_group_gets_exactly_its_rules,
    a_used_up_network_quota_is_409,
    the_ports_of_a_server_are_its_own,
    a_qos_policy_is_found_by_id_and_kept_while_it_is_used,
    a_qos_policy_has_a_rule_of_a_type_and_direction_once,
    agents_are_shown_to_administrators,
)
