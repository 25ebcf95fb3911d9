"""Neutron's address book: which addresses are free, and the port DHCP takes in a network."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Collection, Iterable
from typing import Any

from multisite_lab.sim.clock import nova_time
from multisite_lab.sim.model import Row, Sim, new_id

DHCP = "network:dhcp"
_numbers = itertools.count(1)


def pools(block: Any, gateway: str | None) -> list[Row]:
    """Everything but network, broadcast and gateway, as Neutron makes pools (neutron/ipam/utils.py)."""
    usable = [str(ip) for ip in itertools.islice(block.hosts(), 65536) if str(ip) != gateway]
    if not usable:
        return []
    cut = next((n for n in range(1, len(usable)) if _after(usable[n - 1]) != usable[n]), None)
    if cut is None:
        return [{"start": usable[0], "end": usable[-1]}]
    return [{"start": usable[0], "end": usable[cut - 1]}, {"start": usable[cut], "end": usable[-1]}]


def _after(address: str) -> str:
    return str(ipaddress.ip_address(address) + 1)


def taken(sim: Sim, subnet_id: str) -> set[str]:
    return {
        ip["ip_address"]
        for port in sim.state.ports.values()
        for ip in port["fixed_ips"]
        if ip["subnet_id"] == subnet_id
    }


def first_free(sim: Sim, subnet: Row, also: Collection[str] = ()) -> str | None:
    """The first free address of the pools; Neutron takes any of the first few at random."""
    used = taken(sim, subnet["id"]) | set(also)
    for pool in subnet["allocation_pools"]:
        start, end = int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))
        kind = ipaddress.IPv6Address if ":" in pool["start"] else ipaddress.IPv4Address
        for number in range(start, end + 1):
            if (address := str(kind(number))) not in used:
                return address
    return None


def new_mac(sim: Sim) -> str:
    used = {port["mac_address"] for port in sim.state.ports.values()}
    while True:
        number = next(_numbers)
        mac = f"fa:16:3f:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        if mac not in used:
            return mac


def new_row(sim: Sim, project: str, fields: Row) -> Row:
    """What every resource has."""
    return {
        "id": new_id(),
        "name": fields.get("name") or "",
        "description": fields.get("description") or "",
        "project_id": project,
        "tenant_id": project,
        "tags": [],
        "created_at": nova_time(sim.now),
        "updated_at": nova_time(sim.now),
        "revision_number": 1,
    }


def blank_port(sim: Sim, network: Row) -> Row:
    """A port with what every port has."""
    return {
        "id": new_id(),
        "name": "",
        "description": "",
        "network_id": network["id"],
        "project_id": network["project_id"],
        "tenant_id": network["project_id"],
        "mac_address": "",
        "fixed_ips": [],
        "security_groups": [],
        "allowed_address_pairs": [],
        "port_security_enabled": True,
        "admin_state_up": True,
        "status": "DOWN",
        "device_id": "",
        "device_owner": "",
        "binding:vnic_type": "normal",
        "binding:host_id": "",
        "binding:profile": {},
        "binding:vif_type": "unbound",
        "binding:vif_details": {},
        "tags": [],
        "created_at": nova_time(sim.now),
        "updated_at": nova_time(sim.now),
        "revision_number": 1,
    }


def serve_dhcp(sim: Sim, subnet_id: str) -> None:
    """Give the network's DHCP port an address in this subnet, or take it away again."""
    subnet = sim.state.subnets.get(subnet_id)
    if subnet is None:
        return
    network = sim.state.networks[subnet["network_id"]]
    ports = [
        p for p in sim.state.ports.values() if p["network_id"] == network["id"] and p["device_owner"] == DHCP
    ]
    if not subnet["enable_dhcp"]:
        release(sim, ports, subnet_id)
        return
    if any(ip["subnet_id"] == subnet_id for port in ports for ip in port["fixed_ips"]):
        return
    address = first_free(sim, subnet)
    if address is None:
        return
    if not ports:
        port = blank_port(sim, network)
        port |= {"mac_address": new_mac(sim), "device_owner": DHCP, "device_id": f"dhcp-{network['id']}"}
        port |= {"status": "ACTIVE", "port_security_enabled": False, "binding:host_id": sim.name}
        sim.state.ports[port["id"]] = port
        ports = [port]
    ports[0]["fixed_ips"].append({"subnet_id": subnet_id, "ip_address": address})


def release(sim: Sim, ports: Iterable[Row], subnet_id: str) -> None:
    """Take the addresses of a subnet from DHCP ports; one without any goes."""
    for port in list(ports):
        port["fixed_ips"] = [ip for ip in port["fixed_ips"] if ip["subnet_id"] != subnet_id]
        if not port["fixed_ips"]:
            sim.state.ports.pop(port["id"], None)
