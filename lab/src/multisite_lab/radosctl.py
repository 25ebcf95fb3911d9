"""Ceph commands in one short process, run by the distribution's Python, which has `rados` and `rbd`.

The `ceph` command line takes about a second of processor time for each call, and a first start needs ten of
them. Reads a JSON list of steps on standard input, writes the list of their answers.  Imports nothing of
the lab.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    """Connect once and go through the steps."""
    import rados  # type: ignore[import-not-found]

    steps = json.load(sys.stdin)
    options = {"rados_osd_op_timeout": "120", "rados_mon_op_timeout": "60", "client_mount_timeout": "60"}
    with rados.Rados(conffile=sys.argv[1], conf=options) as cluster:
        json.dump([_step(cluster, step) for step in steps], sys.stdout)


def _step(cluster: Any, step: dict[str, Any]) -> str:
    if "prefix" in step:
        code, out, error = cluster.mon_command(json.dumps(step), b"")
        if code:
            sys.exit(f"{step['prefix']}: {error} ({code})")
        return str(out.decode())
    name = step["call"]
    if name == "wait_osd":
        return _wait_osd(cluster)
    if name == "init_pool":
        return _init_pool(cluster, step["pool"])
    if name == "touch":
        return _touch(cluster, step["pool"])
    raise ValueError(name)


def _wait_osd(cluster: Any) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        _, out, _ = cluster.mon_command(json.dumps({"prefix": "osd stat", "format": "json"}), b"")
        if json.loads(out)["num_up_osds"] > 0:
            return "up"
        time.sleep(0.1)
    sys.exit("the OSD did not come up within 120 s")


def _init_pool(cluster: Any, pool: str) -> str:
    import rbd  # type: ignore[import-not-found]

    with cluster.open_ioctx(pool) as context:
        rbd.RBD().pool_init(context, True)
    return "ready"


def _touch(cluster: Any, pool: str) -> str:
    # After a crash the map still says that the dead OSD is up; only an answered write proves anything.
    with cluster.open_ioctx(pool) as context:
        context.write_full("multisite-lab-boot", b"written")
    return "written"


if __name__ == "__main__":
    main()
