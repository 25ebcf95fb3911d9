"""Images copied between real Glances: many of several formats, one of 2 GiB, a transfer cut in the middle.

They are compared by a client that knows nothing of Multisite: every field, and every byte.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest

from multisite_lab import sites, vnf
from multisite_lab.manager import CommandFailed, Manager

FORMATS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
"""Glance's names and QEMU's: Glance looks whether the data are what they are said to be."""
MIB = 1 << 20
BIG = int(os.environ.get("MULTISITE_IMAGE_GIB", "2")) << 30
OWN = (
    "id",
    "owner",
    "file",
    "self",
    "direct_url",
    "locations",
    "stores",
    "created_at",
    "updated_at",
    "virtual_size",
)
"""What every Glance has of its own."""
PIECE = 4 * MIB


class Bytes:
    """So many bytes that are not alike, made as they are sent."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        block = hashlib.shake_256(str(self.seed).encode()).digest(PIECE)
        for offset in range(0, self.size, PIECE):
            yield block[: min(PIECE, self.size - offset)]


def disk(folder: Path, kind: str, seed: int) -> bytes:
    """An image file of a few MiB in a format."""
    raw, made = folder / "raw", folder / "made"
    raw.write_bytes(b"".join(Bytes(MIB * (seed % 4 + 1), seed)))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", FORMATS[kind], raw, made], check=True)
    return made.read_bytes()


def put(name: str, data: Bytes | bytes, **fields: Any) -> str:
    cloud = vnf.connect("site1")
    wanted = {
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "private",
    } | fields
    made = cloud.image.post("/images", json=wanted).json()
    answer = cloud.image.put(
        f"/images/{made['id']}/file", data=data, headers={"Content-Type": "application/octet-stream"},
        timeout=600,
    )  # fmt: skip
    assert answer.ok, answer.text
    return str(made["id"])


def row(cloud: openstack.connection.Connection, image_id: str) -> dict[str, Any]:
    answer = cloud.image.get(f"/images/{image_id}")
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    shown = {k: v for k, v in found.items() if k not in OWN and not k.startswith("os_glance")}
    return shown | {"tags": sorted(shown["tags"])}


def digest(site: str, image_id: str) -> str:
    answer = vnf.connect(site).image.get(f"/images/{image_id}/file", stream=True)
    found = hashlib.sha256()
    for piece in answer.iter_content(PIECE):
        found.update(piece)
    return found.hexdigest()


def all_of(site: str) -> dict[str, dict[str, Any]]:
    """Every image there, hidden ones too."""
    cloud = vnf.connect(site)
    rows = [
        one
        for hidden in ("true", "false")
        for one in cloud.image.get(f"/images?limit=1000&os_hidden={hidden}").json()["images"]
    ]
    return {one["id"]: one for one in rows}


def replicate(service: Manager, image: str, *more: str) -> dict[str, Any]:
    made: dict[str, Any] = service.cli(
        "image", "replicate", image, "--source-site", "site1", "--target-site", "site2", *more
    )
    return made


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """What a test put there is gone after it."""
    before = {site: set(all_of(site)) for site in ("site1", "site2")}
    yield
    for site, known in before.items():
        cloud = vnf.connect(site)
        for id, one in all_of(site).items():
            if id not in known:
                if one["protected"]:
                    cloud.image.update_image(id, is_protected=False)
                cloud.image.delete_image(id)


def test_twenty_images_of_several_formats_are_the_sources(service: Manager, tmp_path: Path) -> None:
    made = {}
    for number in range(20):
        kind = list(FORMATS)[number % len(FORMATS)]
        image = put(
            f"kind-{number}", disk(tmp_path, kind, number), disk_format=kind, min_disk=number % 3, min_ram=64 * number,
            tags=["vnf", f"n{number}"], protected=number % 2 == 0, hw_disk_bus="virtio", os_distro="debian",
            visibility=("private", "shared", "public", "community")[number % 4], **{f"made/by~{number}": "x=y"},
        )  # fmt: skip
        made[image] = replicate(service, image)
    one, two = vnf.connect("site1"), vnf.connect("site2")
    for image, replication in made.items():
        assert replication["state"] == "done", replication
        (copy,) = replication["copies"]
        assert row(two, copy["image_id"]) == row(one, image)
        assert digest("site2", copy["image_id"]) == digest("site1", image)
    for replication in made.values():
        service.show("image", "replication", "delete", replication["id"])
    assert not any(one["name"].startswith("kind-") for one in all_of("site2").values())


def test_a_big_one_cut_in_the_middle_is_told_and_sent_again(service: Manager) -> None:
    image = put("big", Bytes(BIG, 99))
    started = replicate(service, image, "--no-wait")
    _until_some_is_sent(service, started["job_id"])
    sites.stop_service("site2", "glance")
    try:
        _until(lambda: _job(service, started["job_id"])["state"] == "paused", 180, "the job pauses")
        assert "site2" in _job(service, started["job_id"])["error"]
    finally:
        sites.start_service("site2", "glance")
    assert not any(one["name"] == "big" for one in all_of("site2").values()), "it is not shown"
    begun = time.monotonic()
    service.show("job", "resume", started["job_id"])
    seconds = time.monotonic() - begun
    done = service.cli("image", "replication", "show", started["id"])
    assert done["state"] == "done", done
    (copy,) = done["copies"]
    assert digest("site2", copy["image_id"]) == digest("site1", image)
    print(f"{BIG / MIB:.0f} MiB again in {seconds:.1f} s: {BIG / MIB / seconds:.0f} MiB/s, verified")
    left = [
        one for id, one in all_of("site2").items() if id != copy["image_id"] and "multisite" in one["name"]
    ]
    assert left == [], "half images are removed"


def test_one_of_another_project_is_not_there(service: Manager) -> None:
    image = put("theirs", Bytes(MIB, 7))
    cloud = vnf.connect("site1-admin")
    other = vnf.connect("site1-other").current_project_id
    answer = cloud.image.patch(
        f"/images/{image}", json=[{"op": "replace", "path": "/owner", "value": other}],
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
    )  # fmt: skip
    assert answer.ok, answer.text
    with pytest.raises(CommandFailed, match="there is no image"):
        replicate(service, image)
    vnf.connect("site1-admin").image.delete_image(image)


def _job(service: Manager, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = service.cli("job", "show", job_id)
    return found


def _until_some_is_sent(service: Manager, job_id: str) -> None:
    def some() -> bool:
        steps = _job(service, job_id).get("steps") or []
        return any((step["done"] or 0) > BIG / 8 for step in steps)

    _until(some, 120, "an eighth is sent")


def _until(condition: Any, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.3)
