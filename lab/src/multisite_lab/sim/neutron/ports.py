"""Neutron: ports and security groups (Networking API reference v2; neutron/db, neutron_lib/exceptions)."""

from __future__ import annotations

import ipaddress

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim, new_id
from multisite_lab.sim.neutron import attributes, floating_ips, policy, qos, remote_ports, trunks
from multisite_lab.sim.neutron.ipam import blank_port, first_free, new_mac, taken
from multisite_lab.sim.neutron.networks import (
    common,
    find_network,
    find_subnet,
    invalid,
    listed,
    wanted,
)
from multisite_lab.sim.neutron.policy import visible, visible_within
from multisite_lab.sim.wire import Answer, Ask, Route, neutron_error, ok

_SAME = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
         "remote_group_id")  # fmt: skip


def find_port(sim: Sim, ask: Ask, port_id: str) -> Row:
    row = sim.state.ports.get(port_id)
    if row is None or not visible_within(sim, ask, row):
        raise neutron_error(404, "PortNotFound", f"Port {port_id} could not be found.")
    return row


def ports(sim: Sim, ask: Ask) -> Answer:
    return listed(sim, ask, "ports", [_shown(sim, ask, p) for p in sim.state.ports.values()])


def _shown(sim: Sim, ask: Ask, row: Row) -> Row:
    return remote_ports.shown(sim, ask, trunks.shown(sim, row))


def port(sim: Sim, ask: Ask) -> Answer:
    return ok({"port": _shown(sim, ask, find_port(sim, ask, ask.ids["id"]))})


def create_port(sim: Sim, ask: Ask) -> Answer:
    fields = wanted(ask, "port")
    network = find_network(sim, ask, str(fields.get("network_id")))
    policy.refuse_attributes(ask, "create", "port", fields, network)
    qos.refuse_unknown(sim, ask, fields)
    mac = str(fields.get("mac_address") or new_mac(sim)).lower()
    remote = remote_ports.created(sim, ask, network, fields)
    refuse_taken_mac(sim, network["id"], mac)
    addresses = _addresses(sim, ask, network, fields)
    protected = bool(fields.get("port_security_enabled", network["port_security_enabled"]))
    groups = _groups(sim, ask, fields, protected)
    quotas.refuse_neutron(sim, ask, "port")
    row = {
        **blank_port(sim, network),
        **common(sim, ask, fields),
        **attributes.given(sim, "port", fields),
        "admin_state_up": bool(fields.get("admin_state_up", True)),
        "binding:profile": dict(fields.get("binding:profile") or {}),
        "mac_address": mac,
        "fixed_ips": addresses,
        "security_groups": groups,
        "port_security_enabled": protected,
        # neutron/db/allowedaddresspairs_db.py: a pair without one has the port's MAC address.
        "allowed_address_pairs": [
            {"mac_address": mac, **pair} for pair in fields.get("allowed_address_pairs") or ()
        ],
        "binding:vnic_type": fields.get("binding:vnic_type", "normal"),
        **remote,
    }
    # Ports alone take tags when they are made (extension tag-ports-during-bulk-creation).
    row["tags"] = list(fields.get("tags") or [])
    sim.state.ports[row["id"]] = row
    return ok({"port": _shown(sim, ask, row)}, 201)


def refuse_taken_mac(sim: Sim, network_id: str, mac: str) -> None:
    """A MAC address is in a network once (MacAddressInUse)."""
    for other in sim.state.ports.values():
        if other["network_id"] == network_id and other["mac_address"] == mac:
            said = f"Unable to complete operation for network {network_id}. The mac address {mac} is in use."
            raise neutron_error(409, "MacAddressInUse", said)


def _addresses(sim: Sim, ask: Ask, network: Row, fields: Row) -> list[Row]:
    """As asked for; without a word one of each IP version, from the first subnet that has one left."""
    asked = fields.get("fixed_ips")
    if asked is None:
        chosen: dict[int, Row] = {}
        for subnet_id in network["subnets"]:
            subnet = sim.state.subnets[subnet_id]
            address = first_free(sim, subnet)
            if address is not None and subnet["ip_version"] not in chosen:
                chosen[subnet["ip_version"]] = {"subnet_id": subnet_id, "ip_address": address}
        if network["subnets"] and not chosen:
            said = f"No more IP addresses available on network {network['id']}."
            raise neutron_error(409, "IpAddressGenerationFailure", said)
        return list(chosen.values())
    return [_address(sim, ask, network, dict(one)) for one in asked]


def _address(sim: Sim, ask: Ask, network: Row, one: Row) -> Row:
    subnet = _subnet_of(sim, ask, network, one)
    address = one.get("ip_address") or first_free(sim, subnet)
    if address is None:
        said = f"No more IP addresses available on network {network['id']}."
        raise neutron_error(409, "IpAddressGenerationFailure", said)
    if ipaddress.ip_address(address) not in ipaddress.ip_network(subnet["cidr"]):
        said = f"IP address {address} is not a valid IP for the specified subnet."
        raise neutron_error(400, "InvalidIpForSubnet", said)
    refuse_taken_address(sim, subnet["id"], address)
    return {"subnet_id": subnet["id"], "ip_address": address}


def refuse_taken_address(sim: Sim, subnet_id: str, address: str) -> None:
    """neutron/ipam/exceptions.py, IpAddressAlreadyAllocated."""
    if address in taken(sim, subnet_id):
        said = f"IP address {address} already allocated in subnet {subnet_id}"
        raise neutron_error(409, "IpAddressAlreadyAllocated", said)


def _subnet_of(sim: Sim, ask: Ask, network: Row, one: Row) -> Row:
    if one.get("subnet_id"):
        subnet = find_subnet(sim, ask, str(one["subnet_id"]))
        if subnet["network_id"] != network["id"]:
            said = (
                f"Failed to create port on network {network['id']}, because fixed_ips included invalid subnet"
            )
            raise invalid(f"{said} {subnet['id']}")
        return subnet
    for subnet_id in network["subnets"]:
        subnet = sim.state.subnets[subnet_id]
        if ipaddress.ip_address(one["ip_address"]) in ipaddress.ip_network(subnet["cidr"]):
            return subnet
    said = (
        f"IP address {one['ip_address']} is not a valid IP for any of the subnets on the specified network."
    )
    raise neutron_error(400, "InvalidIpForNetwork", said)


def _groups(sim: Sim, ask: Ask, fields: Row, protected: bool) -> list[str]:
    if not protected:
        if fields.get("security_groups"):
            said = "Port security must be enabled and port must have an IP address in order to use security groups."
            raise neutron_error(400, "PortSecurityAndIPRequiredForSecurityGroups", said)
        return []
    groups: list[str] = [find_group(sim, ask, str(g))["id"] for g in fields.get("security_groups") or []]
    if "security_groups" in fields:
        return groups
    return [default_group(sim, ask.account.project_id)["id"]]


def update_port(sim: Sim, ask: Ask) -> Answer:
    row = find_port(sim, ask, ask.ids["id"])
    floating_ips.matches(ask, row)
    policy.refuse_change(ask, "port", row)
    fields = wanted(ask, "port")
    policy.refuse_attributes(ask, "update", "port", fields, sim.state.networks[row["network_id"]])
    written = remote_ports.updated(sim, ask, row, fields)
    allowed = (
        "name",
        "description",
        "security_groups",
        "allowed_address_pairs",
        "admin_state_up",
        "fixed_ips",
        "binding:profile",
        *attributes.ATTRIBUTES["port"],
    )
    attributes.refuse_unknown(sim, "port", fields)
    qos.refuse_unknown(sim, ask, fields)
    for name, value in fields.items():
        if name in ("tunneling_ip", *written):
            continue
        if name not in allowed:
            raise neutron_error(400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")
        written[name] = value
    if "fixed_ips" in written:
        written["fixed_ips"] = _readdressed(sim, ask, row, written["fixed_ips"])
    row |= written
    if "admin_state_up" in written and row["device_id"]:
        row["status"] = "ACTIVE" if row["admin_state_up"] else "DOWN"
    row["revision_number"] += 1
    return ok({"port": _shown(sim, ask, row)})


def _readdressed(sim: Sim, ask: Ask, row: Row, asked: list[Row]) -> list[Row]:
    """Addresses it keeps are its own, the others must be free."""
    kept, row["fixed_ips"] = row["fixed_ips"], []
    try:
        network = sim.state.networks[row["network_id"]]
        return [_address(sim, ask, network, dict(one)) for one in asked]
    finally:
        row["fixed_ips"] = kept


def delete_port(sim: Sim, ask: Ask) -> Answer:
    """Also one that a server uses; a router's is the router's to remove (L3PortInUse)."""
    row = find_port(sim, ask, ask.ids["id"])
    if row["device_owner"].startswith("network:router"):
        said = f"has device owner {row['device_owner']}"
        words = f"Port {row['id']} cannot be deleted directly via the port API: {said}."
        raise neutron_error(409, "ServicePortInUse", words)
    trunks.refuse_deletion(sim, row["id"])
    del sim.state.ports[row["id"]]
    floating_ips.port_gone(sim, row["id"])
    return Answer(204)


# Security groups


def find_group(sim: Sim, ask: Ask, group_id: str) -> Row:
    row = sim.state.security_groups.get(group_id)
    if row is None or not visible(ask, row):
        raise neutron_error(404, "SecurityGroupNotFound", f"Security group {group_id} does not exist")
    return row


def default_group(sim: Sim, project_id: str) -> Row:
    """Every project has one, made when first needed (neutron/db/securitygroups_db.py)."""
    for row in sim.state.security_groups.values():
        if row["project_id"] == project_id and row["name"] == "default":
            return row
    row = _new_group(sim, project_id, "default", "Default security group")
    for ethertype in ("IPv4", "IPv6"):
        rule = _rule(row, "ingress", ethertype)
        row["security_group_rules"].append({**rule, "remote_group_id": row["id"]})
    return row


def _new_group(sim: Sim, project_id: str, name: str, description: str) -> Row:
    row: Row = {
        "id": new_id(),
        "name": name,
        "description": description,
        "project_id": project_id,
        "tenant_id": project_id,
        "tags": [],
        "stateful": True,
        "shared": False,
        "revision_number": 1,
    }
    row["security_group_rules"] = [_rule(row, "egress", "IPv4"), _rule(row, "egress", "IPv6")]
    sim.state.security_groups[row["id"]] = row
    return row


def _rule(group: Row, direction: str, ethertype: str) -> Row:
    empty = dict.fromkeys(_SAME)
    return {
        **empty,
        "id": new_id(),
        "security_group_id": group["id"],
        "project_id": group["project_id"],
        "tenant_id": group["project_id"],
        "direction": direction,
        "ethertype": ethertype,
        "remote_address_group_id": None,
        "description": "",
    }


def groups(sim: Sim, ask: Ask) -> Answer:
    default_group(sim, ask.account.project_id)
    return listed(sim, ask, "security_groups", sim.state.security_groups.values())


def group(sim: Sim, ask: Ask) -> Answer:
    return ok({"security_group": policy.shown(ask, find_group(sim, ask, ask.ids["id"]))})


def create_group(sim: Sim, ask: Ask) -> Answer:
    """With two rules that let everything out."""
    fields = wanted(ask, "security_group")
    if fields.get("name") == "default":
        raise neutron_error(
            409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists."
        )
    common(sim, ask, fields)
    quotas.refuse_neutron(sim, ask, "security_group")
    quotas.refuse_neutron(sim, ask, "security_group_rule", 2)
    name, description = fields.get("name") or "", fields.get("description") or ""
    row = _new_group(sim, ask.account.project_id, name, description)
    row["stateful"] = fields.get("stateful", True)
    return ok({"security_group": row}, 201)


def update_group(sim: Sim, ask: Ask) -> Answer:
    row = find_group(sim, ask, ask.ids["id"])
    policy.refuse_change(ask, "security_group", row)
    row |= {k: v for k, v in wanted(ask, "security_group").items() if k in ("name", "description")}
    return ok({"security_group": row})


def delete_group(sim: Sim, ask: Ask) -> Answer:
    row = find_group(sim, ask, ask.ids["id"])
    policy.refuse_change(ask, "security_group", row, "delete")
    if any(row["id"] in p["security_groups"] for p in sim.state.ports.values()):
        raise neutron_error(409, "SecurityGroupInUse", f"Security Group {row['id']} in use.")
    if row["name"] == "default" and not ask.account.is_admin:
        said = "Insufficient rights for removing default security group."
        raise neutron_error(409, "SecurityGroupCannotRemoveDefault", said)
    del sim.state.security_groups[row["id"]]
    return Answer(204)


def create_rule(sim: Sim, ask: Ask) -> Answer:
    """409 for one that says the same as another (SecurityGroupRuleExists)."""
    fields = wanted(ask, "security_group_rule")
    row = find_group(sim, ask, str(fields.get("security_group_id")))
    policy.refuse_change(ask, "security_group_rule", row, "create")
    if fields.get("direction") not in ("ingress", "egress"):
        raise invalid(f"'{fields.get('direction')}' is not in ['ingress', 'egress']")
    rule = _rule(row, str(fields["direction"]), str(fields.get("ethertype") or "IPv4"))
    rule |= {k: fields.get(k) for k in _SAME if k not in ("direction", "ethertype")}
    rule["description"] = fields.get("description") or ""
    for other in row["security_group_rules"]:
        if all(str(other[k]) == str(rule[k]) for k in _SAME):
            said = f"Security group rule already exists. Rule id is {other['id']}."
            raise neutron_error(409, "SecurityGroupRuleExists", said)
    quotas.refuse_neutron(sim, ask, "security_group_rule")
    row["security_group_rules"].append(rule)
    return ok({"security_group_rule": rule}, 201)


def delete_rule(sim: Sim, ask: Ask) -> Answer:
    for row in sim.state.security_groups.values():
        kept = [r for r in row["security_group_rules"] if r["id"] != ask.ids["id"]]
        if len(kept) < len(row["security_group_rules"]) and policy.owns(ask, row):
            row["security_group_rules"] = kept
            return Answer(204)
    said = f"Security group rule {ask.ids['id']} does not exist"
    raise neutron_error(404, "SecurityGroupRuleNotFound", said)


ROUTES = (
    Route("GET", "/ports", ports),
    Route("POST", "/ports", create_port),
    Route("GET", "/ports/{id}", port),
    Route("PUT", "/ports/{id}", update_port),
    Route("DELETE", "/ports/{id}", delete_port),
    Route("GET", "/security-groups", groups),
    Route("POST", "/security-groups", create_group),
    Route("GET", "/security-groups/{id}", group),
    Route("PUT", "/security-groups/{id}", update_group),
    Route("DELETE", "/security-groups/{id}", delete_group),
    Route("POST", "/security-group-rules", create_rule),
    Route("DELETE", "/security-group-rules/{id}", delete_rule),
)
