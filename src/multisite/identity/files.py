"""The one way a file of an identity is written here: complete and on the disk, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from multisite.domain.errors import Unavailable

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600

Owner = tuple[int, int]
"""Numbers of user and group; -1 leaves what is there."""


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


def write(
    path: Path, data: bytes, mode: int = PRIVATE_FILE, *, owner: Owner | None = None, staging: Path | None = None
) -> None:  # fmt: skip
    """Replace the file in one step; survives a power cut.  Leftovers of a killed process are overwritten.

    Never readable by more than in the end.  ``staging``: where it is written first, by default beside ``path``.
    """
    temporary = staging / path.name if staging else path.with_name(f".{path.name}.multisite-new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with _closing(descriptor):
        left = memoryview(data)
        while left:  # a disk that is nearly full takes a part before it refuses the rest
            left = left[os.write(descriptor, left) :]
        _give(descriptor, owner, mode)
    temporary.replace(path)
    sync_folder(path.parent)


def own(path: Path, owner: Owner | None, mode: int) -> None:
    """Give a file its owner and mode, durably."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with _closing(descriptor):
        _give(descriptor, owner, mode)


def sync_folder(path: Path) -> None:
    """Names of a folder reach the disk only with the folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with _closing(descriptor):
        os.fsync(descriptor)


def _give(descriptor: int, owner: Owner | None, mode: int) -> None:
    if owner is not None:
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
