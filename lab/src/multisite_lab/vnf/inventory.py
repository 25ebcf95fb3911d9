"""What there is in a project, and which of it belongs to an application.

A part belongs by its name (``<vnf>`` or ``<vnf>-...``) or by the metadata ``vnf=<vnf>``; what hangs on such a
part (a volume or port of its servers, a snapshot of its volumes) belongs too, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from multisite_lab.vnf.site import connect

Resources = dict[str, list[Any]]


@dataclass(frozen=True)
class Server:
    """A virtual machine of the application, with its two disks and two addresses."""

    id: str
    name: str
    domain: str
    """What libvirt calls it (only an administrator is told)."""
    root: str
    data: str
    ports: tuple[str, ...]
    addresses: dict[str, str]
    """Network name -> fixed address."""


@dataclass(frozen=True)
class Vnf:
    """The application as it runs in one site; servers in the order they boot."""

    cloud: str
    name: str
    servers: tuple[Server, ...]

    @property
    def volumes(self) -> tuple[str, ...]:
        """All its volumes: root and data of each server in turn."""
        return tuple(volume for server in self.servers for volume in (server.root, server.data))


def _ports(cloud: Any) -> list[Any]:
    own = cloud.network.ports(project_id=cloud.current_project_id)
    return [port for port in own if port.device_owner != "network:dhcp"]


def _security_groups(cloud: Any) -> list[Any]:
    own = cloud.network.security_groups(project_id=cloud.current_project_id)
    return [group for group in own if group.name != "default"]


def _images(cloud: Any) -> list[Any]:
    # The guest image is everybody's; what a program makes for itself is private.
    own = cloud.image.images(owner=cloud.current_project_id)
    return [image for image in own if image.visibility != "public"]


# Network listings are filtered, because an administrator is shown every project's.
LISTERS: dict[str, Callable[[Any], Iterable[Any]]] = {
    "server": lambda cloud: cloud.compute.servers(),
    "floating IP": lambda cloud: cloud.network.ips(project_id=cloud.current_project_id),
    "port": _ports,
    "backup": lambda cloud: cloud.block_storage.backups(),
    "group snapshot": lambda cloud: cloud.block_storage.group_snapshots(),
    "snapshot": lambda cloud: cloud.block_storage.snapshots(),
    "group": lambda cloud: cloud.block_storage.groups(),
    "volume": lambda cloud: cloud.block_storage.volumes(),
    "image": _images,
    "router": lambda cloud: cloud.network.routers(project_id=cloud.current_project_id),
    "network": lambda cloud: cloud.network.networks(project_id=cloud.current_project_id),
    "security group": _security_groups,
    "server group": lambda cloud: cloud.compute.server_groups(),
    "key pair": lambda cloud: cloud.compute.keypairs(),
}


def everything(cloud: Any) -> Resources:
    """All there is in the project, by kind."""
    return {kind: list(lister(cloud)) for kind, lister in LISTERS.items()}


def named(resource: Any, name: str) -> bool:
    """Does a resource belong to the application by its own name or metadata?"""
    own = resource.name or ""
    metadata = getattr(resource, "metadata", None) or {}
    return bool(own == name or own.startswith(f"{name}-") or metadata.get("vnf") == name)


def parts(found: Resources, name: str) -> Resources:
    """Which of the resources belong to an application."""
    ours = {kind: [r for r in resources if named(r, name)] for kind, resources in found.items()}

    def add(kind: str, belongs: Callable[[Any], bool]) -> None:
        ours[kind] += [r for r in found[kind] if r not in ours[kind] and belongs(r)]

    servers = {server.id for server in ours["server"]}
    add("port", lambda port: port.device_id in servers)
    add("volume", lambda volume: any(a["server_id"] in servers for a in volume.attachments or []))
    volumes = {volume.id for volume in ours["volume"]}
    add("snapshot", lambda snapshot: snapshot.volume_id in volumes)
    groups = {volume.group_id for volume in ours["volume"]} - {None}
    add("group", lambda group: group.id in groups)
    add("group snapshot", lambda snapshot: snapshot.group_id in groups)
    # Copies outlive the application on purpose: they belong to whoever protects it.
    ours["backup"] = []
    return ours


def _order(server: Any) -> tuple[int, str]:
    order = (server.metadata or {}).get("boot_order", "")
    return (int(order) if order.isdigit() else 1_000_000, server.name)


def _server(server: Any, ours: Resources) -> Server:
    disks = {}
    for volume in ours["volume"]:
        for attachment in volume.attachments or []:
            if attachment["server_id"] == server.id:
                disks[attachment["device"]] = volume.id
    ordered = [disks[device] for device in sorted(disks)] + ["", ""]
    return Server(
        id=server.id,
        name=server.name,
        domain=server.instance_name or "",
        root=ordered[0],
        data=ordered[1],
        ports=tuple(port.id for port in ours["port"] if port.device_id == server.id),
        addresses={network: rows[0]["addr"] for network, rows in (server.addresses or {}).items() if rows},
    )


def servers(cloud: str, name: str) -> tuple[Server, ...]:
    """The application's servers in a site, in the order they boot; none if it is not there."""
    vnf = find(cloud, name)
    return vnf.servers if vnf else ()


def find(cloud: str, name: str) -> Vnf | None:
    """The application as it is in a site now, or None if it has no server there."""
    ours = parts(everything(connect(cloud)), name)
    rows = sorted(ours["server"], key=_order)
    return Vnf(cloud, name, tuple(_server(row, ours) for row in rows)) if rows else None
