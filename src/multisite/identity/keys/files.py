"""The one way this service writes a file of its own: complete and on the disk, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from multisite.domain.errors import Unavailable

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def private_folder(path: Path) -> None:
    """Make it, or refuse one that others may look into (Unavailable)."""
    if not path.exists():
        path.mkdir(mode=PRIVATE_FOLDER, parents=True)
        path.chmod(PRIVATE_FOLDER)
        sync_folder(path.parent)
    facts = path.stat()
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise Unavailable(
            f"{path}: belongs to uid {facts.st_uid} with mode {stat.S_IMODE(facts.st_mode):o}; it holds keys:"
            f" it has to belong to uid {os.geteuid()} with mode 700"
        )


def write(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replace the file in one step; survives a power cut.  Leftovers of a killed process are overwritten."""
    temporary = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        left = memoryview(data)
        while left:  # a disk that is nearly full takes a part before it refuses the rest
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Names of a folder reach the disk only with the folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
