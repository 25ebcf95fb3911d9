"""How fast an image of 2 GiB is copied, verified: against `curl GET | curl PUT`, which verifies nothing.

Between the lab's real Glances, in turn; the image is of random bytes.  The product reads, hashes twice (the source's
algorithm and MD5), sends, and lets the target's digest be compared.  Also told: the peak memory of the service.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.report import ratio
from multisite_lab import manager, sites, vnf

GIB, ROUNDS = 2, 3
GOAL = 0.9
MEMORY_GOAL = 150
NAME = "bench-image"
FIELDS = {"name": NAME, "disk_format": "raw", "container_format": "bare", "visibility": "private"}


class Random:
    """Bytes that compress to nothing, with their length."""

    def __len__(self) -> int:
        return GIB << 30

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(GIB * 256):
            yield os.urandom(4 << 20)


def put(cloud: Any) -> str:
    made = cloud.image.post("/images", json=FIELDS).json()
    headers = {"Content-Type": "application/octet-stream"}
    answer = cloud.image.put(f"/images/{made['id']}/file", data=Random(), headers=headers, timeout=600)
    assert answer.ok, answer.text
    return str(made["id"])


def by_hand(image: str) -> float:
    """Seconds of one `curl` into another, into an image that is made for it."""
    one, two = vnf.connect("site1"), vnf.connect("site2")
    made = two.image.post("/images", json=FIELDS).json()["id"]
    get = f"curl -sS --fail -H 'X-Auth-Token: {one.auth_token}' {_url(one)}/images/{image}/file"
    send = (
        f"curl -sS --fail -X PUT -T - -H 'Content-Type: application/octet-stream' -H 'X-Auth-Token: {two.auth_token}' "
        f"{_url(two)}/images/{made}/file"
    )
    begun = time.monotonic()
    subprocess.run([*sites.core_prefix(), "bash", "-o", "pipefail", "-c", f"{get} | {send}"], check=True)
    seconds = time.monotonic() - begun
    two.image.delete_image(made)
    return seconds


def _url(cloud: Any) -> str:
    return str(cloud.image.get_endpoint()).rstrip("/").removesuffix("/v2") + "/v2"


def by_product(service: manager.Manager, image: str) -> float:
    """Seconds from the command to its end; the copy is removed again."""
    begun = time.monotonic()
    made = service.cli("image", "replicate", image, "--source-site", "site1", "--target-site", "site2")
    seconds = time.monotonic() - begun
    assert made["state"] == "done", made
    service.show("image", "replication", "delete", made["id"])
    return seconds


def peak_mib(service: manager.Manager) -> int:
    """The most memory that the service's process has had."""
    process = service.process
    assert process is not None
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM"))) // 1024


def main() -> int:
    floors, mine = [], []
    with tempfile.TemporaryDirectory() as folder, manager.running(Path(folder)) as service:
        for site in ("site1", "site2"):
            service.register(site)
        before = peak_mib(service)
        image = put(vnf.connect("site1"))
        try:
            for number in range(1, ROUNDS + 1):
                floors.append(by_hand(image))
                mine.append(by_product(service, image))
                print(
                    f"round {number}: curl | curl {GIB * 1024 / floors[-1]:.0f} MiB/s, verified "
                    f"{GIB * 1024 / mine[-1]:.0f} MiB/s",
                    flush=True,
                )
            peak = peak_mib(service)
            print(
                f"peak memory of the service: {before} MiB before, {peak - before} MiB more (goal < {MEMORY_GOAL})"
            )
        finally:
            vnf.connect("site1").image.delete_image(image)
    return ratio("image", statistics.median(floors) / statistics.median(mine), ">=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
