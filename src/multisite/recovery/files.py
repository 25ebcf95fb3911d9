"""Files that are written whole or not at all, also when the machine dies, and read without waiting for ever."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from multisite.domain import fence

# Manifests hold user data of servers, which may hold secrets: for the service's own account only.
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


class TooLarge(Exception):
    """The file has more bytes than anything that was written here."""


def folders(path: Path, wanted: str, *, instead_of: str) -> Iterator[str]:
    """Names of the folders in one, but for those with a file ``instead_of`` the ``wanted`` one.

    One question to the file system for each that has it: lists ask this of ten thousand.
    """
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir() and (_is_file(entry, wanted) or not _is_file(entry, instead_of)):
                yield entry.name


def _is_file(folder: os.DirEntry[str], name: str) -> bool:
    return os.path.isfile(f"{folder.path}/{name}")  # noqa: PTH113 - a Path for each takes ten times as long


def read_file(path: Path, largest: int) -> bytes:
    """The bytes of a regular file: OSError, also for a pipe or a link; TooLarge beyond ``largest`` bytes."""
    with open(path, "rb", opener=_regular) as file:  # Path.open takes no opener
        data = file.read(largest + 1)
    if len(data) > largest:
        raise TooLarge(f"{path}: more than {largest} bytes: not written by Multisite")
    return data


def write_durably(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Other name, fsync, rename, fsync of the directory.  FileExistsError when it is there and not to be replaced."""
    fence.check()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")  # pids repeat on other hosts
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
            temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def make_durably(directory: Path, parents: int = 0) -> None:
    """And as many of the folders it is in."""
    if parents:
        make_durably(directory.parent, parents - 1)
    if not directory.is_dir():
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(path: Path) -> None:
    """Names of a directory reach the disk only with the directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _regular(path: str, flags: int) -> int:
    """Open a regular file: to open a pipe that somebody laid there would wait for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file")
