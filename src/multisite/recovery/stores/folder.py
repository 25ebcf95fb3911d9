"""A backup store that is a folder, usually a mount that managers and Cinder's backups share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from multisite.domain import fence
from multisite.recovery.files import TooLarge, folders, make_durably, read_file, sync_directory, write_durably
from multisite.recovery.stores.base import MARK, MARKER, StoreUnavailable, Unreadable

PATIENCE = 10.0
"""Seconds a read may take."""


class FolderStore:
    """An ``ObjectStore``.  The empty mount point of a share that is not mounted lacks the marker."""

    remedy = "is its file server there?"
    cinder_drivers = frozenset({"posix", "nfs"})

    def __init__(self, path: str | Path, patience: float = PATIENCE) -> None:
        self.path = Path(path)
        self.place = str(self.path)
        self.patience = patience

    def initialize(self) -> None:
        if not self.path.is_dir():
            raise StoreUnavailable(
                f"backup store {self.path}: there is no such directory: create or mount it first"
            )
        marker = self.path / MARKER
        if marker.is_file():
            return
        with self._reachable():
            write_durably(marker, MARK)

    def check(self) -> None:
        with self._reachable():
            present = (self.path / MARKER).is_file()
        if present:
            return
        if not self.path.is_dir():
            raise StoreUnavailable(f"backup store {self.path}: there is no such directory: is it mounted?")
        raise StoreUnavailable(
            f"backup store {self.path}: {MARKER} is not in it: it is not mounted, or not initialized yet"
            " (multisite-manage store initialize)"
        )

    def shown(self, key: str) -> str:
        return str(self.path / key)

    def get(self, key: str, largest: int) -> bytes | None:
        path = self.path / key
        try:
            return read_file(path, largest)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.check()
            raise Unreadable(f"{path}: cannot be read: {error.strerror or error}") from error
        except TooLarge as error:
            raise Unreadable(str(error)) from error

    def put(self, key: str, data: bytes, *, replace: bool = True, keep: bool = False) -> bool:  # noqa: ARG002
        path = self.path / key
        with self._reachable():
            make_durably(path.parent, parents=2)
            with suppress(FileExistsError):
                write_durably(path, data, replace=replace)
                return True
        return False

    def delete(self, *keys: str) -> None:
        fence.check()
        with self._reachable():
            for key in keys:
                (self.path / key).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        path = self.path / folder
        fence.check()
        with self._reachable():
            if path.is_dir():
                shutil.rmtree(path)
                sync_directory(path.parent)

    def tidy(self, folder: str) -> None:
        with self._reachable():
            for left in (self.path / folder).glob(".*.tmp"):
                left.unlink(missing_ok=True)

    def has_folder(self, folder: str) -> bool:
        return (self.path / folder).is_dir()

    def names(self, folder: str) -> tuple[str, ...]:
        with self._reachable(), suppress(FileNotFoundError):
            return tuple(entry.name for entry in (self.path / folder).iterdir())
        return ()

    def folders(self, folder: str, wanted: str, *, instead_of: str) -> Iterator[str]:
        with self._reachable(), suppress(FileNotFoundError):  # initialized, and nothing was written yet
            yield from folders(self.path / folder, wanted, instead_of=instead_of)

    def versions(self, key: str) -> Iterator[bytes]:
        data = self.get(key, sys.maxsize - 1)
        if data is not None:
            yield data

    def ever(self, folder: str) -> frozenset[str]:
        return frozenset(self.names(folder))

    def holds(self, container: str, name: str) -> bool | None:
        path = self.path / container / name
        with self._reachable():
            return True if _there(path) else False if _there(path.parent) else None

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """What cannot be read or written within makes the store unavailable."""
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(
                f"backup store {self.path}: {error.strerror or error}: is it mounted and writable?"
            ) from error


def _there(path: Path) -> bool:
    """OSError when it cannot be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
