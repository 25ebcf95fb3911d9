"""A real guest, seen from above through nova-api and from below through libvirt."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openstack
import pytest

from multisite_lab import sites

SITE = os.environ.get("MULTISITE_LAB_SITE", "site1")
ACTIVE = 240.0
AGENT_UP = 240.0
ALIAS = "os-multisite-quiesce"
NAME = "quiesce-test"


def until(what: str, condition: Callable[[], Any], limit: float, pause: float = 0.2) -> Any:
    """Wait until something is so, and return it; fail with what was waited for."""
    end = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {limit:.0f} s: {what}")
        time.sleep(pause)
    return found


def connect(person: str = "") -> Any:
    """Log in as somebody: the operator, or admin, member, other, multisite."""
    cloud = f"{SITE}-{person}" if person else SITE
    config = openstack.config.OpenStackConfig(config_files=[str(sites.clouds_yaml())])
    return openstack.connection.Connection(config=config.get_one(cloud))


@dataclass
class Guest:
    """A server and the agent in it."""

    id: str
    domain: str
    cloud: Any

    def act(self, action: str, argument: Any = None, cloud: Any = None) -> Any:
        """Send a server action and return the response, whatever it is."""
        path, compute = f"/servers/{self.id}/action", (cloud or self.cloud).compute
        return compute.post(path, json={action: argument}, raise_exc=False, connect_retries=0)

    def record(self) -> dict[str, Any]:
        """Return what nova-api says about the freeze."""
        answer = self.cloud.compute.get(f"/servers/{self.id}/{ALIAS}")
        found: dict[str, Any] = answer.json()["quiesce"]
        return found

    def frozen(self) -> bool:
        """Return what the agent in the guest says."""
        return bool(sites.guest_agent(SITE, self.domain, "guest-fsfreeze-status") == "frozen")

    def agent(self, command: str = "guest-ping") -> bool:
        """Whether the agent answers."""
        try:
            sites.guest_agent(SITE, self.domain, command, timeout=2)
        except sites.LabError:
            return False
        return True

    def later(self, script: str) -> None:
        """Run a script in the guest in the background: with a hung or frozen agent nothing else gets in."""
        sites.guest_exec(SITE, self.domain, f"({script}) </dev/null >/dev/null 2>&1 &")

    def settled(self) -> bool:
        """Whether it is thawed for certain."""
        return self.record()["state"] == "thawed" and not self.frozen()


def remove(cloud: Any, keep_working: bool = False) -> None:
    """Remove what a test made, also an earlier one that was killed."""
    for server in cloud.compute.servers(name=f"^{NAME}"):
        if not keep_working or server.status == "ERROR":
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, wait=120)
    for volume in cloud.block_storage.volumes():
        if volume.name == NAME and not volume.attachments:
            cloud.block_storage.delete_volume(volume)
            cloud.block_storage.wait_for_delete(volume, wait=120)


def boot(cloud: Any, image: bool, attempts: int = 6) -> Any:
    """Boot a server as soon as the site has room for it: others use it too."""
    for attempt in range(attempts):
        try:
            return _boot(cloud, image)
        except openstack.exceptions.ResourceFailure:
            if attempt == attempts - 1:
                raise
            remove(cloud, keep_working=True)
            time.sleep(20)
    return None


def _boot(cloud: Any, image: bool) -> Any:
    """Boot a server from a volume of its own, with a guest in it or nothing at all."""
    source = {"image_id": cloud.image.find_image("guest").id} if image else {}
    volume = cloud.block_storage.create_volume(name=NAME, size=1, **source)
    cloud.block_storage.wait_for_status(volume, "available", wait=180)
    if not image:
        cloud.block_storage.set_volume_bootable_status(volume, True)
    disk = {"boot_index": 0, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
    server = cloud.compute.create_server(
        name=NAME,
        flavor_id=cloud.compute.find_flavor("t128").id,
        networks="none",
        block_device_mapping=[disk | {"delete_on_termination": True}],
    )
    return cloud.compute.wait_for_server(server, wait=ACTIVE)


def api_answers(guest: Guest) -> bool:
    """Whether nova-api is there and finds its database."""
    try:
        return bool(guest.cloud.compute.get(f"/{ALIAS}", raise_exc=False, connect_retries=0).ok)
    except Exception:  # any failure of a service that is being killed
        return False
