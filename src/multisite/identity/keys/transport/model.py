"""What a transport offers: a site's files, and the error that says why it could not be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class SiteProblem(Exception):
    """A site could not be asked, or refused; the text is for operators and holds no key."""


@dataclass(frozen=True)
class Facts:
    """Of a regular file or a folder: permission bits and numeric owner."""

    mode: int
    uid: int
    gid: int


def known_names(folder: str, found: dict[str, Facts]) -> dict[str, Facts]:
    """A folder's files as a site tells them; SiteProblem for a name that is shown or used as something else."""
    for name in found:
        if not name.isprintable() or "/" in name or name in ("", ".", ".."):
            raise SiteProblem(f"{folder}: {name!a:.100} is no name of a key: move that file away")
    return found


class SiteFiles(Protocol):
    """A site's file system.  Every method raises SiteProblem."""

    async def names(self, folder: str) -> dict[str, Facts] | None:
        """Regular files of a folder; None when there is no such folder."""

    async def folder(self, path: str) -> Facts | None:
        """Of a folder itself; None when there is no such folder."""

    async def read(self, path: str) -> bytes: ...

    async def make_folder(self, path: str, owner: tuple[int, int] | None, mode: int) -> None:
        """Make it if it is not there; the folder above has to be."""

    async def put(
        self, path: str, data: bytes, owner: tuple[int, int] | None, mode: int, staging: str
    ) -> None:
        """The file, complete and with owner and mode, in one step: written in ``staging``, synced, renamed."""

    async def own(self, path: str, owner: tuple[int, int] | None, mode: int) -> None:
        """Give a file its owner and mode, and sync it."""

    async def rename(self, source: str, target: str) -> None:
        """Replaces the target."""

    async def remove(self, path: str) -> None:
        """No error when it is not there."""

    async def account(self, owner: str, group: str) -> tuple[int, int] | None:
        """Numbers of user and group there; None when both are ""."""

    async def run(self, argv: Sequence[str]) -> bytes:
        """Run a program there, with a umask that keeps others out; its output.  Never pass a key in or out."""
