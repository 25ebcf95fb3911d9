"""A server with three NICs and all a server can have, each thing marked with a token, in a real site."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from volume_group import volume_group

from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, Refused
from multisite.clouds.resources import Found, Kind, find_of_job, read, tag_and_describe
from multisite.clouds.resources.tokens import mark, named
from multisite.clouds.waiting import volume_messages, wait_gone, wait_until

CLOUDS = Path(os.environ.get("OS_CLIENT_CONFIG_FILE", "/etc/openstack/clouds.yaml"))
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBl4mrV0Oo5mCFSUMuZmUeLW6uDlM1J0B2LsQTeJ6h6Z somebody@example"
)

PATIENCE = 400.0
"""Seconds: the lab's two cores may be busy with other tests."""


@dataclass
class Thing:
    """What was made: ids by a short name, and the token of each kind's step."""

    job: str
    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, kind: str, name: str) -> str:
        token = f"multisite:{self.job}:make {kind}:{name}"
        self.tokens[name] = token
        return token


class Maker:
    def __init__(self, site: CloudSite) -> None:
        self.site = site
        self.thing = Thing(f"lab-{uuid.uuid4()}")

    def make(self, kind: Kind, name: str, create: Callable[..., Any], **fields: Any) -> str:
        token = self.thing.token(kind, name)
        shown = fields if kind == "floating_ip" else {"name": name} | fields  # its name is its address
        made = call(self.site, f"create {kind} {name}", create, **mark(kind, token, shown))
        tag_and_describe(self.site, kind, read(self.site, kind, made.id), token, f"for {name}")
        self.thing.ids[name] = made.id
        return str(made.id)

    def wait(self, read: Callable[[str], Any], name: str, done: str, timeout: float = PATIENCE) -> None:
        wait_until(
            lambda: call(self.site, f"read {name}", read, self.thing.ids[name]),
            done={done},
            failed={"error"},
            timeout=timeout,
            what=name,
            site=self.site.name,
            explain=lambda _v: volume_messages(self.site, self.thing.ids[name]),
        )


def make_networks(maker: Maker) -> None:
    network, ids = maker.site.network, maker.thing.ids
    for name, cidr in (("net-a", "10.61.0.0/24"), ("net-b", "10.62.0.0/24")):
        maker.make("network", name, network.create_network)
        maker.make(
            "subnet", f"{name}-v4", network.create_subnet,
            network_id=ids[name], cidr=cidr, ip_version=4, gateway_ip=None,
        )  # fmt: skip
    maker.make("router", "edge", network.create_router)
    maker.make("security_group", "far", network.create_security_group)
    maker.make("security_group", "near", network.create_security_group)
    rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22}
    network.create_security_group_rule(
        security_group_id=ids["near"], port_range_max=23, remote_group_id=ids["far"], **rule
    )
    # Made in another order than the NICs will have, so that no list shows that order by luck.
    for name, net in (("nic3", "net-b"), ("nic1", "net-b"), ("nic2", "net-a"), ("carrier", "net-a")):
        maker.make("port", name, network.create_port, network_id=ids[net], security_groups=[ids["near"]])
    maker.make("trunk", "vlans", network.create_trunk, port_id=ids["carrier"])


def make_disks(maker: Maker) -> None:
    volume = maker.site.volume
    for name in ("root", "data"):
        maker.make("volume", name, volume.create_volume, size=1)
        maker.wait(volume.get_volume, name, "available")
    volume.set_volume_bootable_status(maker.thing.ids["root"], True)


def make_server(maker: Maker) -> None:
    compute, ids = maker.site.compute, maker.thing.ids
    maker.make("flavor", f"tiny-{maker.thing.job[-8:]}", compute.create_flavor, ram=64, vcpus=1, disk=1)
    flavor = ids.pop(f"tiny-{maker.thing.job[-8:]}")
    ids["flavor"] = flavor
    compute.create_flavor_extra_specs(compute.get_flavor(flavor), {"hw:mem_page_size": "any"})
    maker.make("keypair", "key", compute.create_keypair, public_key=PUBLIC_KEY)
    maker.make("server_group", "apart", compute.create_server_group, policy="soft-anti-affinity")
    disks = [
        {"uuid": ids[name], "source_type": "volume", "destination_type": "volume", "boot_index": index}
        for name, index in (("data", -1), ("root", 0))
    ]
    maker.make(
        "server", "vm", compute.create_server,
        flavor_id=flavor, key_name=named("key", maker.thing.tokens["key"]), user_data="I2Nsb3VkLWNvbmZpZwo=",
        metadata={"vnf": "facts"},
        scheduler_hints={"group": ids["apart"]}, block_device_mapping=disks,
        networks=[{"port": ids[nic]} for nic in ("nic1", "nic2", "nic3")],
    )  # fmt: skip
    maker.wait(compute.get_server, "vm", "active")


def make_copies(maker: Maker) -> None:
    volume, ids = maker.site.volume, maker.thing.ids
    maker.make("snapshot", "snap", volume.create_snapshot, volume_id=ids["data"], is_forced=True)
    maker.wait(volume.get_snapshot, "snap", "available")
    maker.make("backup", "copy", volume.create_backup, volume_id=ids["data"], snapshot_id=ids["snap"])
    maker.wait(volume.get_backup, "copy", "available")


def make_image(maker: Maker) -> None:
    """An empty one, of the name that one of a server's gets (``clouds.images``)."""
    token = maker.thing.token("image", "picture")
    body = {"name": token, "disk_format": "raw", "container_format": "bare", "visibility": "private"}
    image = call(maker.site, "create an image", maker.site.image.post, "/images", json=body)
    maker.thing.ids["picture"] = image.json()["id"]


def make_floating_ip(maker: Maker) -> None:
    network, ids = maker.site.network, maker.thing.ids
    maker.make("network", "outside", network.create_network, is_router_external=True)
    maker.make(
        "subnet", "outside-v4", network.create_subnet,
        network_id=ids["outside"], cidr="203.0.113.0/24", ip_version=4, enable_dhcp=False,
    )  # fmt: skip
    maker.make("floating_ip", "address", network.create_ip, floating_network_id=ids["outside"])


@contextmanager
def group_snapshot(maker: Maker) -> Iterator[None]:
    """Of a group that holds the data volume; both are gone afterwards."""
    volume, ids = maker.site.volume, maker.thing.ids
    with volume_group(volume, maker.thing.job, [ids["data"]]) as group:
        try:
            maker.make("group_snapshot", "moment", volume.create_group_snapshot, group_id=group)
            maker.wait(volume.get_group_snapshot, "moment", "available")
            yield
        finally:
            remove(maker.site, maker.thing.job, ("group_snapshot",))


ORDER: tuple[Kind, ...] = (
    "server", "image", "backup", "snapshot", "volume", "floating_ip", "trunk", "port", "router", "subnet", "network",
    "security_group", "keypair", "server_group", "flavor",
)  # fmt: skip


def remove(site: CloudSite, job: str, kinds: Sequence[Kind] = ORDER) -> None:
    """Delete everything of these kinds with the job's token; ``find_of_job`` is the only thing it goes by."""
    for kind in kinds:
        for found in find_of_job(site, job, (kind,)):
            _remove(site, found)


def _remove(site: CloudSite, found: Found) -> None:
    module: Any = {
        "server": site.compute, "flavor": site.compute, "keypair": site.compute, "server_group": site.compute,
        "volume": site.volume, "snapshot": site.volume, "group_snapshot": site.volume, "backup": site.volume,
        "image": site.image,
    }.get(found.kind, site.network)  # fmt: skip
    noun = "ip" if found.kind == "floating_ip" else found.kind
    delete, get = (getattr(module, f"{verb}_{noun}") for verb in ("delete", "get"))

    def once() -> str:
        try:
            call(site, f"delete {found.kind} {found.name}", delete, found.id, ignore_missing=True)
        except ConflictInSite as error:
            return str(error)
        except Refused as error:
            if error.site_status != 400:  # Cinder: "must not be ... attached", while it is being detached
                raise
            return str(error)
        return ""

    wait_until(once, done=lambda said: said == "", failed=(), timeout=PATIENCE, what=f"delete {found.name}")
    if found.kind in ("server", "volume", "snapshot", "group_snapshot", "backup"):
        wait_gone(lambda: call(site, f"read {found.name}", get, found.id), timeout=PATIENCE, what=found.name)
