"""What a ready site is furnished with: volume types, a flavor, an image, a network; each found or created."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from multisite_lab.model import CORE_EXTERNAL, EXTERNAL_NETWORK, Site, site_named
from multisite_lab.ready import admin_session

IMAGE = "guest"
FLAVOR = "t128"
VOLUME_TYPE = "rbd"
GROUP_TYPE = "consistent"
EXTERNAL = "public"
PHYSICAL = "external"
IMAGE_PROPERTIES = {
    "hw_qemu_guest_agent": "yes",
    "os_require_quiesce": "yes",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_rng_model": "virtio",
}


class Furniture:
    """Creates what is missing in one site; must run where its APIs can be reached."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._session = admin_session(site)

    def volume_types(self) -> None:
        """The default volume type, without which nothing works, and a group type for group snapshots."""
        self._type("types", "volume_type", VOLUME_TYPE, {"volume_backend_name": "rbd"}, {})
        microversion = {"OpenStack-API-Version": "volume 3.11"}
        self._type("group_types", "group_type", GROUP_TYPE, _CONSISTENT, microversion)

    def flavor(self) -> None:
        """One processor, 128 MiB, 1 GiB."""
        url = self._site.url("nova")
        if FLAVOR not in {f["name"] for f in self._get(f"{url}/flavors")["flavors"]}:
            self._session.post(
                f"{url}/flavors", json={"flavor": {"name": FLAVOR, "vcpus": 1, "ram": 128, "disk": 1}}
            )

    def image(self, source: Path) -> None:
        """Upload the guest image, readable by every project."""
        url = f"{self._site.url('glance')}/v2/images"
        found = self._get(f"{url}?name={IMAGE}")["images"]
        with source.open("rb") as data:
            digest = hashlib.file_digest(data, "sha512").hexdigest()
        if any(image["status"] == "active" and image["os_hash_value"] == digest for image in found):
            return
        for old in found:
            self._session.delete(f"{url}/{old['id']}")
        description = {
            "name": IMAGE,
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "public",
        }
        limits = {"min_disk": 1, "min_ram": 96}
        image = self._session.post(url, json=description | limits | IMAGE_PROPERTIES).json()
        headers = {"Content-Type": "application/octet-stream"}
        with source.open("rb") as data:
            self._session.put(f"{url}/{image['id']}/file", data=data, headers=headers, timeout=300)

    def external(self) -> None:
        """The network `public`: the core's external segment, of which each site has 40 addresses of its own."""
        url = f"{self._site.url('neutron')}/v2.0"
        found = self._get(f"{url}/networks?name={EXTERNAL}&router:external=true")["networks"]
        if not found:
            found = [self._session.post(f"{url}/networks", json={"network": _EXTERNAL}).json()["network"]]
        if not found[0]["subnets"]:
            first, last = external_pool(self._site)
            subnet = _EXTERNAL_SUBNET | {
                "network_id": found[0]["id"],
                "allocation_pools": [{"start": first, "end": last}],
            }
            self._session.post(f"{url}/subnets", json={"subnet": subnet})

    def _type(self, path: str, key: str, name: str, specs: dict[str, str], headers: dict[str, str]) -> None:
        url = f"{self._site.url('cinder')}/{path}"
        found = {row["name"]: row["id"] for row in self._session.get(url, headers=headers).json()[f"{key}s"]}
        if name in found:
            return
        body = {"name": name, "group_specs" if key == "group_type" else "extra_specs": specs}
        self._session.post(url, json={key: body}, headers=headers)

    def _get(self, url: str) -> Any:
        return self._session.get(url, timeout=60).json()


def external_pool(site: Site) -> tuple[str, str]:
    """First and last address of the external segment that a site allocates."""
    network = EXTERNAL_NETWORK.rpartition(".")[0]
    return f"{network}.{50 * site.index}", f"{network}.{50 * site.index + 39}"


_EXTERNAL = {
    "name": EXTERNAL,
    "router:external": True,
    "provider:network_type": "flat",
    "provider:physical_network": PHYSICAL,
    "mtu": 1500,
}
_EXTERNAL_SUBNET = {
    "name": EXTERNAL,
    "ip_version": 4,
    "cidr": EXTERNAL_NETWORK,
    "gateway_ip": CORE_EXTERNAL,
    "enable_dhcp": False,
}
_CONSISTENT = {"consistent_group_snapshot_enabled": "<is> True"}


def main() -> None:
    """Furnish the site named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("site")
    parser.add_argument("--flavor", action="store_true")
    parser.add_argument("--external", action="store_true")
    parser.add_argument("--image", type=Path)
    options = parser.parse_args()
    furniture = Furniture(site_named(options.site))
    furniture.volume_types()
    if options.external:
        furniture.external()
    if options.flavor:
        furniture.flavor()
    if options.image:
        furniture.image(options.image)


if __name__ == "__main__":
    main()
