"""Deploying the application: networks, rules, volumes, ports and servers, as an operator's template would."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from multisite_lab.model import LabError
from multisite_lab.vnf import inventory
from multisite_lab.vnf.inventory import Vnf
from multisite_lab.vnf.proof import BOOT_TIMEOUT, wait_working
from multisite_lab.vnf.site import Progress, connect, silent, until

NETWORKS = {"data": "10.10.0.0/24", "mgmt": "10.20.0.0/24"}
FIRST_ADDRESS = 11
VOLUME_TIMEOUT = 300.0
AT_ONCE = 2
"""Servers that boot at the same time: a boot keeps a processor busy for six seconds."""


@dataclass(frozen=True)
class _Plan:
    """Names and addresses, known before anything exists."""

    name: str
    servers: int

    def server(self, index: int) -> str:
        return f"{self.name}-{index}"

    def address(self, network: str, index: int) -> str:
        return NETWORKS[network].replace("0/24", str(FIRST_ADDRESS + index - 1))

    def mac(self, network: str, index: int) -> str:
        digest = hashlib.sha256(f"{self.name} {network} {index}".encode()).hexdigest()
        return "fa:16:3e:" + ":".join(digest[i : i + 2] for i in (0, 2, 4))


def deploy(
    cloud: str,
    name: str,
    servers: int = 3,
    image: str = "guest",
    flavor: str = "t128",
    progress: Progress = silent,
) -> Vnf:
    """Deploy the application and return when every one of its guests writes to both of its disks."""
    if not re.fullmatch(r"[a-z][a-z0-9]*", name):
        raise LabError(
            f"{name!r}: the name of an application is small letters and digits, parts follow after a hyphen"
        )
    deployment = _Deployment(cloud, _Plan(name, servers), progress)
    deployment.refuse_existing()
    deployment.run(image, flavor)
    found = inventory.find(cloud, name)
    if found is None:
        raise LabError(f"{cloud}: {name} is gone as soon as it was deployed")
    return found


class _Deployment:
    def __init__(self, cloud: str, plan: _Plan, progress: Progress) -> None:
        self._cloud = cloud
        self._connection = connect(cloud)
        self._plan = plan
        self._progress = progress
        self._begun = time.monotonic()

    def refuse_existing(self) -> None:
        """Two applications of one name could not be told apart."""
        found = inventory.parts(inventory.everything(self._connection), self._plan.name)
        there = [f"{kind} {row.name}" for kind, rows in found.items() for row in rows]
        if there:
            raise LabError(f"{self._cloud} already has {', '.join(there)}: destroy {self._plan.name} first")

    def run(self, image: str, flavor: str) -> None:
        """All of it, each phase with its time."""
        cloud = self._connection
        image_id = cloud.image.find_image(image, ignore_missing=False).id
        flavor_id = cloud.compute.find_flavor(flavor, ignore_missing=False).id
        indexes = range(1, self._plan.servers + 1)
        with ThreadPoolExecutor(2 * self._plan.servers) as pool, self._phase("volumes, networks, ports"):
            disks = {
                (index, kind): pool.submit(self._volume, index, kind, image_id)
                for index in indexes
                for kind in ("root", "data")
            }
            groups = self._security_groups()
            networks = {kind: self._network(kind) for kind in NETWORKS}
            ports = {
                (i, kind): self._port(i, kind, networks[kind], groups[kind])
                for i in indexes
                for kind in NETWORKS
            }
            key = self._key()
            together = cloud.compute.create_server_group(name=self._plan.name, policy="soft-anti-affinity").id
            volumes = {part: disk.result() for part, disk in disks.items()}
        with ThreadPoolExecutor(AT_ONCE) as pool, self._phase("servers"):
            boots = [
                pool.submit(
                    self._server,
                    index,
                    flavor_id,
                    key,
                    together,
                    [volumes[index, kind] for kind in ("root", "data")],
                    [ports[index, kind] for kind in NETWORKS],
                )
                for index in indexes
            ]
            for boot in boots:
                boot.result()

    def _network(self, kind: str) -> str:
        network = self._connection.network.create_network(name=f"{self._plan.name}-{kind}")
        self._connection.network.create_subnet(
            name=network.name, network_id=network.id, ip_version=4, cidr=NETWORKS[kind], gateway_ip=None
        )
        return str(network.id)

    def _security_groups(self) -> dict[str, str]:
        """Data traffic among the servers; the application's port from the management group only."""
        network = self._connection.network
        groups = {
            kind: network.create_security_group(name=f"{self._plan.name}-{kind}").id for kind in NETWORKS
        }

        def allow(group: str, protocol: str, **match: Any) -> None:
            network.create_security_group_rule(
                security_group_id=groups[group],
                direction="ingress",
                ether_type="IPv4",
                protocol=protocol,
                **match,
            )

        allow("data", "icmp", remote_group_id=groups["data"])
        allow("data", "tcp", remote_group_id=groups["mgmt"], port_range_min=8080, port_range_max=8080)
        allow("mgmt", "icmp", remote_ip_prefix=NETWORKS["mgmt"])
        allow("mgmt", "tcp", remote_ip_prefix=NETWORKS["mgmt"], port_range_min=22, port_range_max=22)
        return groups

    def _port(self, index: int, kind: str, network: str, group: str) -> str:
        port = self._connection.network.create_port(
            name=f"{self._plan.server(index)}-{kind}",
            network_id=network,
            mac_address=self._plan.mac(kind, index),
            fixed_ips=[{"ip_address": self._plan.address(kind, index)}],
            security_group_ids=[group],
        )
        return str(port.id)

    def _key(self) -> str:
        """A key pair whose private part nobody holds: no guest runs an SSH server."""
        public = Ed25519PrivateKey.generate().public_key()
        line = public.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        ).decode()
        key = self._connection.compute.create_keypair(name=self._plan.name, type="ssh", public_key=line)
        return str(key.name)

    def _volume(self, index: int, kind: str, image: str) -> str:
        storage = self._connection.block_storage
        source = {"image_id": image} if kind == "root" else {}
        name = f"{self._plan.server(index)}-{kind}"
        volume = storage.create_volume(name=name, size=1, metadata={"vnf": self._plan.name}, **source)

        def available() -> str | None:
            status = storage.get_volume(volume.id).status
            if status.startswith("error"):
                raise LabError(f"volume {name}: {status}")
            return str(volume.id) if status == "available" else None

        return until(available, f"volume {name} available", VOLUME_TIMEOUT)

    def _server(
        self, index: int, flavor: str, key: str, together: str, volumes: list[str], ports: list[str]
    ) -> None:
        name = self._plan.server(index)
        began = time.monotonic()
        server = self._connection.compute.create_server(
            name=name,
            flavor_id=flavor,
            key_name=key,
            description=f"{self._plan.name}: member {index} of {self._plan.servers}",
            metadata={"vnf": self._plan.name, "boot_order": str(index)},
            block_device_mapping=[
                {
                    "uuid": volume,
                    "source_type": "volume",
                    "destination_type": "volume",
                    "boot_index": boot,
                    "delete_on_termination": False,
                }
                for volume, boot in zip(volumes, (0, -1), strict=True)
            ],
            networks=[{"port": port} for port in ports],
            scheduler_hints={"group": together},
        )
        until(lambda: self._active(server.id), f"server {name} active", BOOT_TIMEOUT)
        self._progress(f"{name}: active after {time.monotonic() - began:.1f} s")
        wait_working(self._cloud, [(server.id, name)], self._progress)

    def _active(self, server_id: str) -> bool | None:
        server = self._connection.compute.get_server(server_id)
        if server.status == "ERROR":
            raise LabError(f"server {server.name}: {(server.fault or {}).get('message', 'ERROR')}")
        return True if server.status == "ACTIVE" else None

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        now = time.monotonic()
        self._progress(f"{now - self._begun:6.1f} s  {name} in {now - began:.1f} s")
