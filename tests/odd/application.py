"""The odd application: a VNF of two servers of one name, on two networks of one name.

The first member runs, is locked, has its root volume flagged as not bootable and its data disk at vdc, because vdb was
detached; the second one is shut off and has a read-only volume.  Both may use a virtual IP at .1, which a port without
device keeps.  Where Neutron has trunks, the second one's other port is the parent of one, with a network of its own.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from tests.odd import parts
from tests.odd.rest import COMPUTE, NETWORK, Api, until

SECONDS = 240.0


@dataclass(frozen=True)
class Odd:
    """``outside``: the name of the external networks; ``servers``: running, shut off."""

    name: str
    outside: str
    servers: tuple[str, str]


def outside_name(name: str) -> str:
    return f"{name}-außen"


def prepare_target(api: Api, name: str) -> None:
    """What an operator has made there: the external network."""
    parts.outside(api, outside_name(name))


def deploy(api: Api, name: str) -> Odd:
    """All of it, at rest when it is returned."""
    external = parts.outside(api, outside_name(name))
    front, back = parts.front(api, f"{name}-сеть"), parts.back(api, f"{name}-сеть")
    first, second, third = parts.groups(api, f"{name}-группа")
    nic = f"{name}-порт"
    parts.port(
        api, f"{name}-вип", front, "fa:16:3e:61:00:01", parts.VIRTUAL, security_groups=[first],
        description="keepalived",
    )  # fmt: skip
    parts.serve_dhcp(api, front)
    shaped = parts.policy(api, f"{name}-политика")
    fronts = [
        parts.front_port(api, nic, front, 2, [first, second], **shaped),
        parts.front_port(api, nic, front, 3, [third]),
    ]
    backs = [
        parts.port(api, nic, back, f"fa:16:3e:62:00:0{number}", f"10.62.0.1{number}", f"10.62.0.2{number}",
                   port_security_enabled=False)
        for number in (2, 3)
    ]  # fmt: skip
    if api.has("trunk"):
        parts.trunk(api, name, backs[1], first)
    parts.router(api, f"{name}-маршрутизатор", front, external)
    floating = {"floating_network_id": external, "port_id": fronts[0], "description": "снаружи"}
    parts.create(api, "floatingips", "floatingip", **floating)
    servers = _servers(api, name, fronts, backs)
    api(NETWORK, "PUT", f"/v2.0/ports/{backs[0]}", {"port": {"admin_state_up": False}})
    return Odd(name, outside_name(name), servers)


def _servers(api: Api, name: str, fronts: list[str], backs: list[str]) -> tuple[str, str]:
    image, disk = parts.image(api), f"{name}-диск"
    together = parts.server_group(api, f"{name}-вместе")
    common = {"flavorRef": parts.flavor(api, f"{name}-маленький"), "key_name": parts.key(api, f"{name}-key")}
    roots = [parts.volume(api, disk, image) for _ in fronts]
    spare = parts.volume(api, disk, image)  # has partitions: a guest of the lab looks for its data elsewhere
    data, kept = (parts.volume(api, disk) for _ in range(2))
    parts.read_only(api, kept)
    first = _server(
        api, name, together, roots[0], [(spare, "spare"), (data, "database")], [backs[0], fronts[0]], number=1,
        hostname=f"{name}-host-1", availability_zone="nova", config_drive=True, tags=["активный", "vnf"],
        user_data=base64.b64encode("#!/bin/sh\necho größer\n".encode()).decode(), **common,
    )  # fmt: skip
    second = _server(
        api, name, together, roots[1], [(kept, "licenses")], [fronts[1], backs[1]], number=2, going=True,
        hostname=f"{name}-host-2", accessIPv4="203.0.113.7", **common,
    )  # fmt: skip
    working(api, first)
    stop(api, first)
    stop(api, second)
    api(COMPUTE, "DELETE", f"/servers/{first}/os-volume_attachments/{spare}")
    until(lambda: _available(api, spare), f"volume {spare} detached", SECONDS)
    api("block-storage", "DELETE", f"/volumes/{spare}")
    parts.not_bootable(api, roots[0])
    parts.action(api, COMPUTE, f"/servers/{first}", "os-start")
    active(api, first)
    working(api, first)
    parts.action(api, COMPUTE, f"/servers/{first}", "lock", locked_reason="в работе")
    return first, second


def _server(
    api: Api, name: str, group: str, root: str, disks: list[tuple[str, str]], nics: list[str], *, number: int,
    going: bool = False, **fields: Any,
) -> str:  # fmt: skip
    """Active when it is returned."""
    same = {"source_type": "volume", "destination_type": "volume"}
    mapping = [{"uuid": root, "boot_index": 0, "delete_on_termination": False, **same}]
    mapping += [
        {"uuid": one, "boot_index": -1, "delete_on_termination": going, "tag": tag, **same}
        for one, tag in disks
    ]
    wanted = {
        "name": f"{name}-узел", "description": f"член {number}", "metadata": {"vnf": name, "role": f"№ {number}"},
        "block_device_mapping_v2": mapping,
        "networks": [{"port": nic, "tag": f"nic{place}"} for place, nic in enumerate(nics)], **fields,
    }  # fmt: skip
    body = {"server": wanted, "os:scheduler_hints": {"group": group}}
    made = str(api(COMPUTE, "POST", "/servers", body)["server"]["id"])
    active(api, made)
    return made


def active(api: Api, server: str) -> None:
    _reach(api, server, "ACTIVE")


def working(api: Api, server: str) -> None:
    """Its guest writes records to both its disks."""

    def writes() -> bool:
        path = f"/servers/{server}/action"
        text = api(COMPUTE, "POST", path, {"os-getConsoleOutput": {}})["output"]
        return "GUEST-READY" in text and "GUEST-RECORD" in text

    until(writes, f"server {server} works", SECONDS)


def stop(api: Api, server: str) -> None:
    parts.action(api, COMPUTE, f"/servers/{server}", "os-stop")
    _reach(api, server, "SHUTOFF")


def _reach(api: Api, server: str, status: str) -> None:
    def there() -> bool:
        row = api(COMPUTE, "GET", f"/servers/{server}")["server"]
        assert row["status"] != "ERROR", row.get("fault")
        return bool(row["status"] == status and row["OS-EXT-STS:task_state"] is None)

    until(there, f"server {server} {status}", SECONDS)


def _available(api: Api, volume: str) -> bool:
    return bool(api("block-storage", "GET", f"/volumes/{volume}")["volume"]["status"] == "available")
