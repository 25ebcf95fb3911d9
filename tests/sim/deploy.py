"""An application in a site, as an operator's template would make it: works on real and simulated sites alike.

Two networks, two security groups (one refers to the other), a key pair, a server group, and for each server a
root volume of an image, a blank data volume, and two ports with known addresses.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from multisite.clouds import build
from multisite.clouds.connect import CloudSite
from tests.sim import details

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

    @property
    def order(self) -> tuple[str, ...]:
        """The application's: nothing that is sorted by name, age or the list of a site has it by chance."""
        return self.servers[::-1]


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


def volume(site: CloudSite, name: str, *, image: str | None = None, size: int = 1, **more: Any) -> str:
    """A volume that is available; of an image, or blank."""
    fields = {"name": name, "size": size, **({"imageRef": image} if image else {}), **more}
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


def network(
    site: CloudSite, name: str, cidr: str, *, subnet: Mapping[str, Any] | None = None, **fields: Any
) -> str:
    body = {"network": {"name": name, **fields}}
    made = ask(site.network, "POST", "/networks", body)["network"]["id"]
    inside = {"name": name, "network_id": made, "ip_version": 4, "cidr": cidr, "gateway_ip": None}
    ask(site.network, "POST", "/subnets", {"subnet": inside | dict(subnet or {})})
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
    """Ask for a server; ``group`` becomes a hint of the scheduler, ``going``: volumes that go with it."""
    going, tags = fields.pop("going", ()), fields.pop("device_tags", {})
    disks = [
        {"uuid": v, "source_type": "volume", "destination_type": "volume", "boot_index": 0 if not n else -1,
         "delete_on_termination": v in going, **({"tag": tags[v]} if v in tags else {})}
        for n, v in enumerate(volumes)
    ]  # fmt: skip
    group = fields.pop("group", None)
    wanted = {"name": name, "flavorRef": flavor_id, "block_device_mapping_v2": disks, **fields}
    nics = [{"port": p, **({"tag": tags[p]} if p in tags else {})} for p in ports]
    wanted["networks"] = nics or "none"
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


def deploy(site: CloudSite, name: str, servers: int = 2, *, full: bool = False) -> Deployed:
    """All of it; every guest works when this returns.

    ``full``: whatever a restore point carries has a value that is not the default, which takes an administrator.
    """
    more = details.of(name) if full else details.Details()
    groups = {kind: _group(site, f"{name}-{kind}", **more.groups.get(kind, {})) for kind in NETWORKS}
    nets = {
        kind: network(
            site, f"{name}-{kind}", cidr, subnet=more.subnets.get(kind), **more.networks.get(kind, {})
        )
        for kind, cidr in NETWORKS.items()
    }
    _rule(site, groups["data"], protocol="icmp", remote_group_id=groups["data"], **more.rule)
    _rule(site, groups["data"], protocol="tcp", remote_group_id=groups["mgmt"], port=8080)
    _rule(site, groups["mgmt"], protocol="tcp", remote_ip_prefix=NETWORKS["mgmt"], port=22)
    key = keypair(site, name)
    body = {"server_group": {"name": name, "policy": "soft-anti-affinity"}}
    together = ask(site.compute, "POST", "/os-server-groups", body, NOVA)["server_group"]["id"]
    image_id = image(site)
    flavor_id = _flavor(site, name, more.extra_specs, **more.flavor) if full else flavor(site)
    made: list[str] = []
    volumes: list[str] = []
    ports: list[str] = []
    for number in range(1, servers + 1):
        own = f"{name}-{number}"
        disks = [
            volume(site, f"{own}-root", image=image_id, **more.volume),
            volume(site, f"{own}-data", **more.volume),
        ]
        if full:  # possible while it is attached nowhere
            flag = {"os-update_readonly_flag": {"readonly": True}}
            ask(site.volume, "POST", f"/volumes/{disks[1]}/action", flag, CINDER)
        nics = [
            port(
                site,
                f"{own}-{kind}",
                nets[kind],
                mac_address=mac(name, kind, number),
                fixed_ips=[{"ip_address": address(kind, number)}],
                **{"security_groups": [groups[kind]], **more.ports.get(kind, {})},
            )
            for kind in NETWORKS
        ]
        if full and number == 1:
            _trunk(site, name, nics[1], nets["data"], groups["data"], more)
        metadata = {"vnf": name, "boot_order": str(number)}
        described = {"metadata": metadata, "description": f"member {number}", "key_name": key, **more.server}
        if full:
            described |= {"hostname": f"{own}-host", "going": disks[1:]}
            described["device_tags"] = {disks[1]: "database", nics[0]: "traffic"}
        made.append(server(site, own, flavor_id, disks, nics, group=together, **described))
        volumes += disks
        ports += nics
    for server_id in made:
        working(site, server_id)
    if full:
        port(site, f"vip-{name}", nets["data"], security_groups=[groups["data"]], **more.virtual_ip)
        _router(site, name, list(nets.values()), more)
        _finish(site, made, ports, more)
        for kind, ids in (("networks", nets), ("security-groups", groups)):
            _tag(site, kind, ids.values(), more.tags)
        _tag(site, "subnets", _subnets(site, nets.values()), more.tags)
    return Deployed(
        name,
        tuple(made),
        tuple(volumes),
        tuple(ports),
        tuple(nets.values()),
        tuple(groups.values()),
        together,
    )


def deploy_for_images(site: CloudSite, name: str) -> list[str]:
    """Ids of two servers that work, without networks: ``<name>-1`` has two volumes, ``<name>-local`` is of an image."""
    small, guest = flavor(site), image(site)
    disks = [volume(site, f"{name}-1-root", image=guest), volume(site, f"{name}-1-data")]
    body = {"name": f"{name}-local", "flavorRef": small, "imageRef": guest, "networks": "none"}
    made = [
        server(site, f"{name}-1", small, disks, []),
        str(ask(site.compute, "POST", "/servers", {"server": body}, NOVA)["server"]["id"]),
    ]
    for server_id in made:
        working(site, server_id)
    return made


def _trunk(
    site: CloudSite, name: str, parent: str, network_id: str, group: str, more: details.Details
) -> None:
    """Where Neutron has trunks, before the parent port's server boots: none takes one that is bound."""
    rows = ask(site.network, "GET", "/extensions")["extensions"]
    if "trunk" not in {row["alias"] for row in rows}:
        return
    inside = port(site, f"{name}-vlan", network_id, security_groups=[group], **more.subport)
    subport = {"port_id": inside, "segmentation_type": "vlan", "segmentation_id": 101}
    body = {"trunk": {"name": f"{name}-trunk", "port_id": parent, "sub_ports": [subport], **more.trunk}}
    made = ask(site.network, "POST", "/trunks", body)["trunk"]["id"]
    _tag(site, "trunks", [made], more.tags)


def _finish(site: CloudSite, servers: list[str], ports: list[str], more: details.Details) -> None:
    """What servers and ports can have once they work."""
    for number, port_id in enumerate(ports):
        if later := more.later.get(list(NETWORKS)[number % len(NETWORKS)]):
            ask(site.network, "PUT", f"/ports/{port_id}", {"port": later})
    for server_id in servers:
        body = {"lock": {"locked_reason": "in service"}}
        ask(site.compute, "POST", f"/servers/{server_id}/action", body, NOVA)


def _router(site: CloudSite, name: str, networks: list[str], more: details.Details) -> None:
    """At the gateway of the first network, and at an address of its own in the second, which has none."""
    body = {"router": {"name": f"router-{name}", **more.router}}
    made = ask(site.network, "POST", "/routers", body)["router"]["id"]
    path = f"/routers/{made}"
    inside = {"subnet_id": _subnets(site, networks[:1])[0]}
    ask(site.network, "PUT", f"{path}/add_router_interface", inside)
    fixed = [{"ip_address": NETWORKS["mgmt"].replace("0/24", "254")}]
    nobodys = port(site, "", networks[1], fixed_ips=fixed, port_security_enabled=False, security_groups=[])
    ask(site.network, "PUT", f"{path}/add_router_interface", {"port_id": nobodys})
    for one in ask(site.network, "GET", f"/ports?device_id={made}&device_owner=network:router_interface")[
        "ports"
    ]:
        described = {
            "name": f"{name} {one['fixed_ips'][0]['ip_address']}",
            "description": f"the way out of {name}",
        }
        ask(site.network, "PUT", f"/ports/{one['id']}", {"port": described})
        _tag(site, "ports", [one["id"]], more.tags)
    ask(site.network, "PUT", path, {"router": {"routes": list(more.routes)}})
    _tag(site, "routers", [made], more.tags)


def _subnets(site: CloudSite, networks: Iterable[str]) -> list[str]:
    return [s for n in networks for s in ask(site.network, "GET", f"/networks/{n}")["network"]["subnets"]]


def _tag(site: CloudSite, kind: str, ids: Iterable[str], tags: Iterable[str]) -> None:
    for one in ids:
        ask(site.network, "PUT", f"/{kind}/{one}/tags", {"tags": list(tags)})


def _group(site: CloudSite, name: str, **fields: Any) -> str:
    body = {"security_group": {"name": name, **fields}}
    return str(ask(site.network, "POST", "/security-groups", body)["security_group"]["id"])


def _flavor(site: CloudSite, name: str, extra_specs: Mapping[str, str], **more: Any) -> str:
    """As ``flavor``'s, with extra specs."""
    fields = {"name": name, "vcpus": 1, "ram": 128, "disk": 1, **more}
    made = ask(site.compute, "POST", "/flavors", {"flavor": fields}, NOVA)["flavor"]["id"]
    specs = {"extra_specs": dict(extra_specs)}
    ask(site.compute, "POST", f"/flavors/{made}/os-extra_specs", specs, NOVA)
    return str(made)


def _rule(site: CloudSite, group: str, *, port: int | None = None, **match: Any) -> None:
    rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", **match}
    if port is not None:
        rule |= {"port_range_min": port, "port_range_max": port}
    ask(site.network, "POST", "/security-group-rules", {"security_group_rule": rule})
