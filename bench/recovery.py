"""How long a recovery takes: the product against a runbook of `openstack` commands doing the same restore.

Same restore point and target, source site dead both times; what the first made is removed before the second.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import ratio
from multisite_lab import manager, paths, sites, vnf

NAME = "rto"
GOAL = 3.0
SCRIPT = Path(__file__).parent / "baseline_restore.sh"


def by_hand(point: str) -> float:
    """Seconds the runbook takes; its own last line says so."""
    manifest = paths.backup_store() / "multisite" / "restore-points" / point / "manifest.json"
    done = subprocess.run([str(SCRIPT), "site2", str(manifest)], capture_output=True, text=True, check=False)
    print(done.stdout)
    if done.returncode or not (found := re.findall(r"^total ([\d.]+)", done.stdout, re.MULTILINE)):
        raise RuntimeError(f"the runbook failed:\n{done.stderr[-2000:]}")
    return float(found[-1])


def by_product(service: manager.Manager, point: str) -> float:
    begun = time.monotonic()
    service.show("recovery", "start", point, "--target-site", "site2", "--create-missing-flavors",
                 "--ready-console", "GUEST-READY", "--source-is-fenced", "--yes-recover", NAME)  # fmt: skip
    return time.monotonic() - begun


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, manager.running(Path(folder)) as service:
        for cloud in ("site1", "site2"):
            vnf.destroy(cloud, NAME)
            service.register(cloud)
        vnf.deploy("site1", NAME, servers=3, progress=print)
        service.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
        service.cli("protection", "create", NAME, "--method", "consistent-backup", "--target-site", "site2")
        point = service.cli("protection", "run", NAME, "--full")["id"]
        sites.kill("site1")
        try:
            mine = by_product(service, point)
            vnf.destroy("site2", NAME)
            peer = by_hand(point)
            vnf.destroy("site2", NAME)
        finally:
            sites.start("site1")
            vnf.destroy("site1", NAME)
    print(f"RTO: product {mine:.1f} s, runbook of commands {peer:.1f} s")
    return ratio("recovery", peer / mine, ">=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
