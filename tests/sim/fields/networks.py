"""Networks, ports and security groups as a site shows them."""

from __future__ import annotations

from tests.sim.fields.listing import Listing, Row, tags_of


def network(seen: Listing, row: Row) -> Row:
    subnets = [s for s in seen.subnets.values() if s["network_id"] == row["id"]]
    return {
        "name": row["name"],
        "mtu": row["mtu"],
        "port_security_enabled": row["port_security_enabled"],
        "description": row["description"],
        "shared": row["shared"],
        "external": row["router:external"],
        "dns_domain": row["dns_domain"],
        "tags": tags_of(row),
        "qos_policy_id": seen.policies.get(row.get("qos_policy_id") or ""),
        "provider": _provider(row),
        "subnets": {s["cidr"]: _subnet(s) for s in subnets},
    }


def port(seen: Listing, row: Row, hostname: str) -> Row:
    addresses = [[seen.subnets[a["subnet_id"]]["cidr"], a["ip_address"]] for a in row["fixed_ips"]]
    return {
        "name": row["name"],
        "network_id": seen.names[row["network_id"]],
        "mac_address": row["mac_address"],
        "fixed_addresses": addresses,
        "security_group_ids": sorted(seen.groups[g]["name"] for g in row["security_groups"]),
        "port_security_enabled": row["port_security_enabled"],
        "allowed_address_pairs": row["allowed_address_pairs"],
        "vnic_type": row["binding:vnic_type"],
        "description": row["description"],
        "enabled": row["admin_state_up"],
        "dhcp_options": row["extra_dhcp_opts"],
        "binding_profile": row["binding:profile"],
        "dns_name": "" if row["dns_name"] == hostname else row["dns_name"],
        "dns_domain": row["dns_domain"],
        "tags": tags_of(row),
        "qos_policy_id": seen.policies.get(row.get("qos_policy_id") or ""),
    }


def virtual_ips(seen: Listing) -> dict[str, Row]:
    return {row["name"]: port(seen, row, "") | {"device_tag": None} for row in seen.without_device}


def subports(seen: Listing) -> dict[str, Row]:
    return {row["name"]: port(seen, row, "") | {"device_tag": None} for row in seen.subports.values()}


def group(seen: Listing, row: Row) -> Row:
    names = {group_id: group["name"] for group_id, group in seen.groups.items()}
    rules = [_rule(rule, names) for rule in row["security_group_rules"]]
    same = {key: row[key] for key in ("name", "description", "stateful")}
    return {**same, "rules": sorted(rules, key=repr), "tags": tags_of(row)}


def _provider(row: Row) -> Row:
    """Of what is no overlay."""
    physical = row["provider:network_type"] in ("vlan", "flat")
    return {k: v for k, v in row.items() if physical and k.startswith("provider:") and v is not None}


def _subnet(row: Row) -> Row:
    same = ("name", "cidr", "ip_version", "allocation_pools", "dns_nameservers", "host_routes",
            "ipv6_address_mode", "ipv6_ra_mode", "description", "dns_publish_fixed_ip")  # fmt: skip
    return {
        **{key: row[key] for key in same},
        "gateway_address": row["gateway_ip"],
        "dhcp": row["enable_dhcp"],
        "tags": tags_of(row),
    }


def _rule(row: Row, names: dict[str, str]) -> Row:
    return {
        "direction": row["direction"],
        "ethertype": row["ethertype"],
        "protocol": row["protocol"],
        "port_min": row["port_range_min"],
        "port_max": row["port_range_max"],
        "remote_address": row["remote_ip_prefix"],
        "remote_group_id": names.get(row["remote_group_id"] or ""),
        "description": row["description"],
    }
