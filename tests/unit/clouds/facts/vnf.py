"""An application of two servers as the services tell of it, to be changed by a test."""

from __future__ import annotations

from typing import Any

from tests.unit.clouds.conftest import FakeCloud

MAC = "fa:16:3e:00:00:0{}"


def server(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}",
        "name": f"vm{number}",
        "status": "ACTIVE",
        "tenant_id": "p1",
        "user_id": "u1",
        "image": "",
        "metadata": {"vnf": "demo", "multisite_token": "multisite:old:boot"},
        "tags": ["blue"],
        "description": "standby",
        "key_name": "ops",
        "config_drive": "True",
        "OS-EXT-AZ:availability_zone": "nova",
        "pinned_availability_zone": "nova",
        "OS-EXT-SRV-ATTR:hostname": f"vm{number}",
        "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
        "OS-EXT-SRV-ATTR:user_data": "I2Nsb3Vk",
        "os-extended-volumes:volumes_attached": [
            {"id": f"v{number}-data", "delete_on_termination": True},
            {"id": f"v{number}-root", "delete_on_termination": False},
        ],
        "flavor": {
            "original_name": "t128",
            "vcpus": 1,
            "ram": 128,
            "disk": 1,
            "ephemeral": 0,
            "swap": 0,
            "extra_specs": {"hw:cpu_policy": "shared"},
        },
        "addresses": {
            "oam": [address(number, 2)],
            "data": [address(number, 1)],
        },
    } | more


def address(number: int, nic: int, kind: str = "fixed") -> dict[str, Any]:
    return {
        "addr": "10.0.0.1",
        "OS-EXT-IPS-MAC:mac_addr": MAC.format(number * 3 + nic),
        "OS-EXT-IPS:type": kind,
    }


def volume(name: str, server_id: str, device: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "size": 1,
        "volume_type": "rbd",
        "bootable": "true" if "root" in name else "false",
        "metadata": {"readonly": "False", "attached_mode": "rw", "role": "db"},
        "status": "in-use",
        "volume_image_metadata": {"hw_qemu_guest_agent": "yes"} if "root" in name else None,
        "encrypted": False,
        "attachments": [{"server_id": server_id, "device": device}],
    } | more


def port(name: str, server_id: str, mac: str, network: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "device_id": server_id,
        "mac_address": mac,
        "network_id": network,
        "fixed_ips": [{"subnet_id": f"{network}-v4", "ip_address": "10.0.0.7"}],
        "security_groups": ["g-default"],
        "port_security_enabled": True,
        "allowed_address_pairs": [{"ip_address": "10.0.0.100"}],
        "binding:vnic_type": "normal",
        "description": "",
    } | more


def rule(remote: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 22,
        "port_range_max": 22,
        "remote_ip_prefix": None if remote else "0.0.0.0/0",
        "remote_group_id": remote,
        "description": None,
    } | more


def group(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "description": "",
        "stateful": True,
        "security_group_rules": list(rules),
    }


class Vnf:
    """The answers of a site with two servers; tests bend them before they are registered."""

    def __init__(self) -> None:
        self.servers = [server(1), server(2)]
        self.volumes = [
            volume("v1-data", "s1", "/dev/vdb"),
            volume("v2-root", "s2", "/dev/vda"),
            volume("v1-root", "s1", "/dev/vda"),
            volume("v2-data", "s2", "/dev/vdb"),
        ]
        self.ports = [
            port("p1-data", "s1", MAC.format(4), "n-data"),
            port("p1-oam", "s1", MAC.format(5), "n-oam"),
            port("p2-oam", "s2", MAC.format(8), "n-oam"),
            port("p2-data", "s2", MAC.format(7), "n-data"),
        ]
        self.groups = [
            group("g-default", rule("g-default"), rule("g-peer")),
            group("g-peer", rule("g-far")),
            group("g-far", rule()),
        ]
        self.keypairs = [{"keypair": {"name": "ops", "public_key": "ssh-rsa A", "type": "ssh"}}]
        self.keypairs_status = 200
        self.nics: list[str] | None = None
        self.floating_ips: list[dict[str, Any]] = []
        self.tagged_disks: list[dict[str, Any]] = []
        self.tagged_nics: list[dict[str, Any]] = []

    def play(self, fake: FakeCloud) -> None:
        for row in self.servers:
            fake.json("GET", "compute", f"/servers/{row['id']}", {"server": row})
            nics = {"nic_details": [{"mac_address": m} for m in self.nics or []]}
            path = f"/servers/{row['id']}"
            disks = self.tagged_disks or [
                {"volumeId": one["id"]} for one in row["os-extended-volumes:volumes_attached"]
            ]
            plugged = self.tagged_nics or [
                {"port_id": one["id"]} for one in self.ports if one["device_id"] == row["id"]
            ]
            fake.json("GET", "compute", f"{path}/os-volume_attachments", {"volumeAttachments": disks})
            fake.json("GET", "compute", f"{path}/os-interface", {"interfaceAttachments": plugged})
            path = f"/servers/{row['id']}/diagnostics"
            fake.json("GET", "compute", path, nics, 200 if self.nics else 403)
        fake.json("GET", "compute", "/servers/detail", {"servers": self.servers})
        fake.json("GET", "compute", "/flavors/detail", {"flavors": [{"id": "f1", "name": "t128"}]})
        fake.json("GET", "compute", "/os-keypairs", {"keypairs": self.keypairs}, self.keypairs_status)
        groups = [{"id": "sg1", "name": "apart", "policy": "anti-affinity", "members": ["s1", "s2"]}]
        others = [{"id": "sg2", "name": "x", "policy": "affinity", "members": ["zzz"]}]
        fake.json("GET", "compute", "/os-server-groups", {"server_groups": groups + others})
        fake.json("GET", "block-storage", "/volumes/detail", {"volumes": self.volumes})
        fake.json("GET", "network", "/ports", self._ports)
        fake.json("GET", "network", "/floatingips", {"floatingips": self.floating_ips})
        networks = [{"id": n, "name": n[2:], "mtu": 1450, "shared": False} for n in ("n-data", "n-oam")]
        fake.json("GET", "network", "/networks", {"networks": networks})
        fake.json("GET", "network", "/subnets", {"subnets": [subnet("n-data"), subnet("n-oam")]})
        fake.json("GET", "network", "/security-groups", self._groups)

    def _ports(self, request: Any, _context: Any) -> dict[str, Any]:
        devices = request.qs.get("device_id")
        return {"ports": [p for p in self.ports if devices is None or p["device_id"] in devices]}

    def _groups(self, request: Any, _context: Any) -> dict[str, Any]:
        return {"security_groups": [g for g in self.groups if g["id"] in request.qs["id"]]}


def subnet(network: str) -> dict[str, Any]:
    return {
        "id": f"{network}-v4",
        "network_id": network,
        "name": "",
        "cidr": "10.0.0.0/24",
        "ip_version": 4,
        "gateway_ip": None,
        "enable_dhcp": True,
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
    }
