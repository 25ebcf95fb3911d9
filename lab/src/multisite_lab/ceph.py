"""First start of a site's Ceph: one monitor, one manager, one OSD, one pool; no cephx."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multisite_lab.model import Site

CONFIG = "/etc/ceph/ceph.conf"
POOL = "volumes"
_ROOT = ("-c", CONFIG, "--setuser", "root", "--setgroup", "root")


def format_monitor(site: Site) -> None:
    """Make the monitor's store unless it exists."""
    folder = site.var / "ceph"
    if (folder / "mon" / "store.db").is_dir():
        return
    fsid = (site.root / "identity").read_text().strip()
    address = f"[v2:{site.management}:3300,v1:{site.management}:6789]"
    monmap = str(folder / "monmap")
    _run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, monmap)
    _run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, *_ROOT)


def format_disk(site: Site) -> None:
    """Announce and format the OSD unless that was done."""
    done = site.var / "ceph" / "formatted"
    if done.exists():
        return
    # A crash in the middle left half a disk: begin again.
    for leftover in (site.var / "ceph" / "osd").iterdir():
        leftover.unlink()
    identity = str(uuid.uuid5(uuid.UUID((site.root / "identity").read_text().strip()), "osd.0"))
    admin({"prefix": "osd new", "uuid": identity})
    _run("ceph-osd", "-i", "0", *_ROOT, "--mkfs", "--osd-uuid", identity)
    done.touch()


def ensure_pool(site: Site) -> None:
    """Wait for the OSD, make the pool at first start, and prove that it takes writes."""
    done = site.var / "ceph" / "pool"
    if done.exists():
        admin({"call": "touch", "pool": POOL})
        return
    admin(
        {"call": "wait_osd"},
        # Without this Cinder complains that it cannot use cloned images of the second kind.
        {"prefix": "osd set-require-min-compat-client", "version": "mimic"},
        {
            "prefix": "config set",
            "who": "mon",
            "name": "auth_allow_insecure_global_id_reclaim",
            "value": "false",
        },
        {"prefix": "osd pool create", "pool": POOL, "pg_num": 8},
        {"prefix": "osd pool application enable", "pool": POOL, "app": "rbd"},
        {"call": "init_pool", "pool": POOL},
    )
    done.touch()


def admin(*steps: dict[str, Any], config: str | Path = CONFIG, prefix: Sequence[str] = ()) -> list[str]:
    """Run Ceph commands as the administrator, in the namespaces this process is in, or the ``prefix`` leads to."""
    command = [*prefix, "/usr/bin/python3", str(Path(__file__).with_name("radosctl.py")), str(config)]
    done = subprocess.run(command, input=json.dumps(steps), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ceph: {done.stderr.strip()[-500:]}")
    answers: list[str] = json.loads(done.stdout)
    return answers


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-500:]}")
