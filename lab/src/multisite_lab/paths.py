"""Where the lab keeps its things.

Two folders only, both outside any checkout so that a second clone reuses what the first one installed:
the cache (content-addressed, safe to delete while the lab is down) and the state (the sites themselves).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

DATA = Path(__file__).parent / "data"


def cache() -> Path:
    """Installed software, guest images and migrated databases, each named by a digest of what made it."""
    return Path(os.environ.get("MULTISITE_CACHE") or Path.home() / ".cache" / "multisite")


def state() -> Path:
    """The running sites: configuration, databases, Ceph, logs.  Short, because unix socket paths are limited."""
    return Path(os.environ.get("MULTISITE_LAB_STATE") or "/var/lib/multisite-lab")


def backup_store() -> Path:
    """The backup store that outlives every site (an NFS export or an object store in production)."""
    return state() / "backup-store"


def manifest_keys() -> Path:
    """Public keys of the managers that wrote there: each trusts those before it, whose state folders may be lost."""
    return state() / "manifest-keys"


def digest(*parts: Path | str | bytes) -> str:
    """Twelve hex digits over file contents and strings: the name of a cache entry."""
    total = hashlib.sha256()
    for part in parts:
        data = (
            part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        )
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:12]


def forget_older(current: Path) -> None:
    """Remove cache entries of a kind but the current one and the one before it, which another checkout may use."""
    kind = current.name.rpartition("-")[0]
    others = [path for path in cache().glob(f"{kind}-*") if path.is_dir() and path != current]
    for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[1:]:
        shutil.rmtree(old, ignore_errors=True)


def openstack_venv() -> Path:
    """The locked environment every service of every site runs from."""
    return cache() / f"openstack-{digest(DATA / 'openstack.lock')}"
