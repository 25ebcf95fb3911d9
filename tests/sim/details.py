"""A value that is not the default for whatever a restore point carries: what is dropped on the way is then seen."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Details:
    """Fields of requests, those of Neutron by the kind of network ("data", "mgmt"); ``later``: of ports, once their
    server is active, ``tags``: of networks, subnets and groups, ``virtual_ip``: of a port without a device in the
    data network, ``router``: of one with an interface in each network, ``routes`` its own; ``subport``: of a port in
    the data network that ``trunk`` carries, of the first server's management port."""

    networks: Mapping[str, Fields] = field(default_factory=dict)
    subnets: Mapping[str, Fields] = field(default_factory=dict)
    groups: Mapping[str, Fields] = field(default_factory=dict)
    ports: Mapping[str, Fields] = field(default_factory=dict)
    rule: Fields = field(default_factory=dict)
    volume: Fields = field(default_factory=dict)
    server: Fields = field(default_factory=dict)
    later: Mapping[str, Fields] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    virtual_ip: Fields = field(default_factory=dict)
    router: Fields = field(default_factory=dict)
    routes: tuple[Fields, ...] = ()
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    flavor: Fields = field(default_factory=dict)
    trunk: Fields = field(default_factory=dict)
    subport: Fields = field(default_factory=dict)


def of(name: str) -> Details:
    """Nothing protects the management network's ports; the data network has a gateway, routes and name servers."""
    shared = {"ip_address": "10.31.0.100", "mac_address": "fa:16:3e:00:31:64"}
    virtual_ip = "10.31.0.60"
    return Details(
        networks={
            "data": {"mtu": 1400, "description": f"data of {name}", "dns_domain": "data.example."},
            "mgmt": {"port_security_enabled": False},
        },
        subnets={
            "data": {
                "gateway_ip": "10.31.0.1",
                "allocation_pools": [{"start": "10.31.0.50", "end": "10.31.0.99"}],
                "dns_nameservers": ["10.31.0.3", "10.31.0.2"],
                "host_routes": [{"destination": "10.99.0.0/16", "nexthop": "10.31.0.254"}],
                "description": f"addresses of {name}",
                "dns_publish_fixed_ip": True,
            },
            "mgmt": {"enable_dhcp": False},
        },
        groups={
            "data": {"description": f"lets {name} talk"},
            "mgmt": {"stateful": False},
        },
        ports={
            "data": {
                "description": f"traffic of {name}",
                "allowed_address_pairs": [shared, {"ip_address": virtual_ip}],
                "extra_dhcp_opts": [{"opt_name": "26", "opt_value": "1300", "ip_version": 4}],
                "binding:profile": {"trusted": "true"},
                "dns_domain": "ports.example.",
                "tags": ["fast", "blue"],
            },
            "mgmt": {"port_security_enabled": False, "security_groups": []},
        },
        rule={"description": "members answer each other"},
        volume={"metadata": {"disk_of": name}, "description": f"disk of {name}"},
        server={
            "tags": ["vnf", "active"],
            "config_drive": True,
            "user_data": base64.b64encode(f"#!/bin/sh\necho {name}\n".encode()).decode(),
            "availability_zone": "nova",
        },
        later={"mgmt": {"admin_state_up": False, "dns_name": f"{name}-oam"}},
        tags=("red", "green"),
        virtual_ip={
            "mac_address": "fa:16:3e:00:31:60",
            "fixed_ips": [{"ip_address": virtual_ip}],
            "description": f"{name} answers here",
            "admin_state_up": False,
            "dns_name": f"{name}-vip",
            "tags": ["keepalived", "blue"],
        },
        router={"description": f"{name} leaves here", "admin_state_up": False},
        routes=({"destination": "10.98.0.0/16", "nexthop": "10.31.0.11"},),
        extra_specs={"hw:cpu_policy": "dedicated"},
        flavor={"description": f"for the guests of {name}"},
        trunk={"description": f"VLANs of {name}", "admin_state_up": False},
        subport={
            "mac_address": "fa:16:3e:00:31:61",
            "fixed_ips": [{"ip_address": "10.31.0.61"}],
            "description": f"VLAN 101 of {name}",
            "tags": ["fast", "blue"],
        },
    )
