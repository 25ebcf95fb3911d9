"""Installs what only Neutron's own test base needs beside the sites' software, and prints the folder.

A folder of its own, named by its lock: the sites' environment stays as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from multisite_lab import install, paths

LOCK = Path(__file__).parents[1] / "requirements" / "neutron-tests.lock"


def ensure() -> Path:
    """Install them unless they are there; several may do so at the same time."""
    target = paths.cache() / f"neutron-tests-{paths.digest(LOCK, paths.DATA / 'openstack.lock')}"
    if target.is_dir():
        return target
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    command = [str(install.uv()), "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
    command += [
        "--python",
        str(paths.openstack_venv() / "bin/python"),
        "--target",
        str(fresh),
        "-r",
        str(LOCK),
    ]
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
        fresh.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise somebody else was faster
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


if __name__ == "__main__":
    print(ensure())
