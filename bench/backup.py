"""How fast a volume is backed up: a full protection run against `rbd export | cp` into the same store.

One volume of random bytes, nothing of it compressible or zero, on an application that runs; both in turn, so that a
machine that slows down slows both.  What the product adds: the snapshot, digests of every block, Cinder's own driver.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.report import ratio
from multisite_lab import manager, paths, sites, vnf
from multisite_lab.ceph import POOL
from multisite_lab.model import site_named
from multisite_lab.vnf.site import until

NAME = "carry"
GIB, ROUNDS = 2, 3
GOAL = 0.8
PATIENCE = 900.0


def random_volume(cloud: Any, folder: Path) -> str:
    """A volume of an image of random bytes."""
    file = folder / "random.raw"
    with file.open("wb") as out:
        for _ in range(GIB * 16):
            out.write(os.urandom(64 * 2**20))
    image = cloud.image.create_image(
        name=f"{NAME}-random", filename=str(file), disk_format="raw", container_format="bare", wait=True
    )
    file.unlink()
    volume = cloud.block_storage.create_volume(
        name=f"{NAME}-random", size=GIB, image_id=image.id, metadata={"vnf": NAME}
    )
    until(lambda: cloud.block_storage.get_volume(volume.id).status == "available" or None, "volume", PATIENCE)
    cloud.image.delete_image(image)
    return str(volume.id)


@contextmanager
def application() -> Iterator[str]:
    """One server with the volume attached; gives the volume's id."""
    vnf.destroy("site1", NAME)
    cloud = vnf.connect("site1")
    server = vnf.deploy("site1", NAME, servers=1, progress=print).servers[0]
    try:
        with tempfile.TemporaryDirectory(dir=paths.backup_store()) as folder:
            volume = random_volume(cloud, Path(folder))
        cloud.compute.create_volume_attachment(server.id, volume_id=volume)
        until(lambda: cloud.block_storage.get_volume(volume).status == "in-use" or None, "attached", PATIENCE)
        yield volume
    finally:
        vnf.destroy("site1", NAME)


def by_hand(volume: str) -> float:
    """Seconds of `rbd export` through `cp` into the store, on its disk."""
    conf = f"{site_named('site1').etc}/ceph/ceph.conf"
    with tempfile.TemporaryDirectory(dir=paths.backup_store()) as folder:
        export = f"rbd -c {conf} export --no-progress {POOL}/volume-{volume} -"
        copy = f"{export} | cp /dev/stdin {folder}/copy && sync {folder}/copy"
        begun = time.monotonic()
        subprocess.run([*sites.core_prefix(), "bash", "-o", "pipefail", "-c", copy], check=True)
        return time.monotonic() - begun


def by_product(service: manager.Manager) -> tuple[float, float]:
    """Seconds of the backup of the volume alone, and of the whole run."""
    begun = time.monotonic()
    point = service.cli("protection", "run", NAME, "--full")
    whole = time.monotonic() - begun
    job = service.cli("job", "show", point["job_id"])
    (step,) = [
        one for one in job["steps"] if f"{NAME}-random" in one["title"] and one["name"].startswith("backup")
    ]
    spent = datetime.fromisoformat(step["ended_at"]) - datetime.fromisoformat(step["started_at"])
    service.cli("restore", "point", "delete", point["id"])
    return spent.total_seconds(), whole


def main() -> int:
    floors, mine = [], []
    with tempfile.TemporaryDirectory() as folder, manager.running(Path(folder)) as service:
        for site in ("site1", "site2"):
            service.register(site)
        with application() as volume:
            service.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
            service.cli(
                "protection", "create", NAME, "--method", "consistent-backup", "--target-site", "site2"
            )
            for number in range(1, ROUNDS + 1):
                floors.append(by_hand(volume))
                backup, whole = by_product(service)
                mine.append(backup)
                print(
                    f"round {number}: rbd export | cp {GIB * 1024 / floors[-1]:.0f} MiB/s, backup "
                    f"{GIB * 1024 / backup:.0f} MiB/s (the whole run {whole:.0f} s)",
                    flush=True,
                )
    return ratio("backup", statistics.median(floors) / statistics.median(mine), ">=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
