"""An application in a site, as an operator's template would make it: works on real and simulated sites alike.

Two networks, two security groups (one refers to the other), a key pair, a server group, and for each server a
root volume of an image, a blank data volume, and two ports with known addresses.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from multisite.clouds import build
from multisite.clouds.connect import CloudSite

T = TypeVar("T")
NETWORKS = {"data": "10.31.0.0/24", "mgmt": "10.32.0.0/24"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxk3nXvKzGQFQ0eJ6oB4zqfYf8S6e0mG6m5v0aN3cQd nobody"
NOVA, CINDER = "2.90", "3.43"


@dataclass(frozen=True)
class Deployed:
    """Ids in the order the servers were made; of each server root before data volume, data before mgmt port."""

    name: str
    servers: tuple[str, ...]
    volumes: tuple[str, ...]
    ports: tuple[str, ...]
    networks: tuple[str, ...]
    groups: tuple[str, ...]
    server_group: str


def ask(proxy: Any, method: str, path: str, body: Any = None, version: str | None = None) -> Any:
    """One raw request; what it answered, or an AssertionError with its words."""
    answer = proxy.request(path, method, json=body, microversion=version, raise_exc=False)
    assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def until(seen: Callable[[], T | None], what: str, seconds: float = 120.0, pause: float = 0.05) -> T:
    """The first answer that is not None."""
    deadline = time.monotonic() + seconds
    while True:
        if (found := seen()) is not None:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(pause)


def mac(name: str, network: str, number: int) -> str:
    digest = hashlib.sha256(f"{name} {network} {number}".encode()).hexdigest()
    return "fa:16:3e:" + ":".join(digest[i : i + 2] for i in (0, 2, 4))


def address(network: str, number: int) -> str:
    return NETWORKS[network].replace("0/24", str(10 + number))


def volume(site: CloudSite, name: str, *, image: str | None = None, size: int = 1) -> str:
    """A volume that is available; of an image, or blank."""
    fields = {"name": name, "size": size, **({"imageRef": image} if image else {})}
    made = ask(site.volume, "POST", "/volumes", {"volume": fields}, CINDER)["volume"]["id"]

    def available() -> bool | None:
        status = ask(site.volume, "GET", f"/volumes/{made}", None, CINDER)["volume"]["status"]
        assert not status.startswith("error"), f"volume {name}: {status}"
        return True if status == "available" else None

    until(available, f"volume {name} available")
    return str(made)


def image(site: CloudSite, name: str = "guest") -> str:
    return str(ask(site.image, "GET", f"/images?name={name}")["images"][0]["id"])


def flavor(site: CloudSite, name: str = "t128") -> str:
    rows = ask(site.compute, "GET", "/flavors/detail?is_public=None", None, NOVA)["flavors"]
    return str(next(row["id"] for row in rows if row["name"] == name))


def network(site: CloudSite, name: str, cidr: str) -> str:
    made = ask(site.network, "POST", "/networks", {"network": {"name": name}})["network"]["id"]
    fields = {"name": name, "network_id": made, "ip_version": 4, "cidr": cidr, "gateway_ip": None}
    ask(site.network, "POST", "/subnets", {"subnet": fields})
    return str(made)


def port(site: CloudSite, name: str, network_id: str, **fields: Any) -> str:
    body = {"port": {"name": name, "network_id": network_id, **fields}}
    return str(ask(site.network, "POST", "/ports", body)["port"]["id"])


def keypair(site: CloudSite, name: str) -> str:
    body = {"keypair": {"name": name, "public_key": PUBLIC_KEY, "type": "ssh"}}
    return str(ask(site.compute, "POST", "/os-keypairs", body, NOVA)["keypair"]["name"])


def server(
    site: CloudSite, name: str, flavor_id: str, volumes: list[str], ports: list[str], **fields: Any
) -> str:
    """Ask for a server; ``group`` becomes a hint of the scheduler."""
    disks = [
        {"uuid": v, "source_type": "volume", "destination_type": "volume", "boot_index": 0 if not n else -1,
         "delete_on_termination": False}
        for n, v in enumerate(volumes)
    ]  # fmt: skip
    group = fields.pop("group", None)
    wanted = {"name": name, "flavorRef": flavor_id, "block_device_mapping_v2": disks, **fields}
    wanted["networks"] = [{"port": p} for p in ports] or "none"
    body: dict[str, Any] = {"server": wanted}
    if group is not None:
        body["os:scheduler_hints"] = {"group": group}
    return str(ask(site.compute, "POST", "/servers", body, NOVA)["server"]["id"])


def working(site: CloudSite, server_id: str, seconds: float = 240.0) -> str:
    """Wait until the server is active and its guest writes records; its console."""

    def active() -> bool | None:
        row = build.read_server(site, server_id)
        assert row["status"] != "ERROR", row.get("fault")
        return True if row["status"] == "ACTIVE" else None

    def writes() -> str | None:
        text = build.console(site, server_id)
        return text if "GUEST-READY" in text and "GUEST-RECORD" in text else None

    until(active, f"server {server_id} active", seconds)
    return until(writes, f"server {server_id} works", seconds)


def deploy(site: CloudSite, name: str, servers: int = 2) -> Deployed:
    """All of it; every guest works when this returns."""
    nets = {kind: network(site, f"{name}-{kind}", cidr) for kind, cidr in NETWORKS.items()}
    groups = {kind: _group(site, f"{name}-{kind}") for kind in NETWORKS}
    _rule(site, groups["data"], protocol="icmp", remote_group_id=groups["data"])
    _rule(site, groups["data"], protocol="tcp", remote_group_id=groups["mgmt"], port=8080)
    _rule(site, groups["mgmt"], protocol="tcp", remote_ip_prefix=NETWORKS["mgmt"], port=22)
    key = keypair(site, name)
    body = {"server_group": {"name": name, "policy": "soft-anti-affinity"}}
    together = ask(site.compute, "POST", "/os-server-groups", body, NOVA)["server_group"]["id"]
    image_id, flavor_id = image(site), flavor(site)
    made: list[str] = []
    volumes: list[str] = []
    ports: list[str] = []
    for number in range(1, servers + 1):
        own = f"{name}-{number}"
        disks = [volume(site, f"{own}-root", image=image_id), volume(site, f"{own}-data")]
        nics = [
            port(
                site,
                f"{own}-{kind}",
                nets[kind],
                mac_address=mac(name, kind, number),
                fixed_ips=[{"ip_address": address(kind, number)}],
                security_groups=[groups[kind]],
            )
            for kind in NETWORKS
        ]
        metadata = {"vnf": name, "boot_order": str(number)}
        described = {"metadata": metadata, "description": f"member {number}", "key_name": key}
        made.append(server(site, own, flavor_id, disks, nics, group=together, **described))
        volumes += disks
        ports += nics
    for server_id in made:
        working(site, server_id)
    return Deployed(
        name,
        tuple(made),
        tuple(volumes),
        tuple(ports),
        tuple(nets.values()),
        tuple(groups.values()),
        together,
    )


def _group(site: CloudSite, name: str) -> str:
    body = {"security_group": {"name": name}}
    return str(ask(site.network, "POST", "/security-groups", body)["security_group"]["id"])


def _rule(site: CloudSite, group: str, *, port: int | None = None, **match: Any) -> None:
    rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", **match}
    if port is not None:
        rule |= {"port_range_min": port, "port_range_max": port}
    ask(site.network, "POST", "/security-group-rules", {"security_group_rule": rule})
