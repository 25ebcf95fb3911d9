"""Peers of the form `--replication`: each site's pool of volumes is mirrored to the other's, both ways.

The daemons are services of the sites; what is done here once is what an operator does with ``rbd mirror pool``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from multisite_lab import install, netns
from multisite_lab.ceph import POOL
from multisite_lab.model import CORE_NAMESPACE, LabError, Site

PACKAGES = ("rbd-mirror", "open-iscsi")
"""os-brick asks open-iscsi about volumes that Cinder manages (nothing of it has to run)."""
_PATIENCE = 120.0


def install_programs() -> None:
    install.ensure_packages(*PACKAGES)


def ensure(sites: Sequence[Site], report: Callable[[str], None]) -> None:
    """Make the two sites peers of each other, unless they are."""
    if len(sites) != 2:  # the other one is not up
        return
    for site in sites:
        _rbd(site, "mirror", "pool", "enable", POOL, "image", "--site-name", site.name)
    first, second = sites
    if _peers(first) and _peers(second):
        return
    report("volumes: the sites become peers")
    token = _rbd(first, "mirror", "pool", "peer", "bootstrap", "create", "--site-name", first.name, POOL)
    with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
        file.write(token)
        file.flush()
        importing = ("mirror", "pool", "peer", "bootstrap", "import", "--site-name", second.name)
        _rbd(second, *importing, "--direction", "rx-tx", POOL, str(Path(file.name)))


def _peers(site: Site) -> bool:
    return bool(json.loads(_rbd(site, "mirror", "pool", "info", POOL, "--format", "json"))["peers"])


def _rbd(site: Site, *words: str) -> str:
    command = [*netns.enter(CORE_NAMESPACE), "rbd", "-c", f"{site.etc}/ceph/ceph.conf", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode:
        raise LabError(f"{site.name}: rbd {' '.join(words)}: {done.stderr.strip()[-400:]}")
    return done.stdout
