"""How the service reaches a site's folders.  Two ways, one contract: ``directory`` and ``ssh``.

Paths are the site's.  Whoever calls sets the time limit (``fleet.py``); a transport only has to be interruptible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from multisite.domain.errors import Invalid
from multisite.identity.topology.model import IdentitySite, KeyHome


class SiteProblem(Exception):
    """A site could not be asked, or refused; the text is for operators and holds no key."""


@dataclass(frozen=True)
class Facts:
    """Of a regular file: permission bits and numeric owner."""

    mode: int
    uid: int
    gid: int


class SiteFiles(Protocol):
    """A site's file system.  Every method raises SiteProblem."""

    async def names(self, folder: str) -> dict[str, Facts] | None:
        """Regular files of a folder; None when there is no such folder."""

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


Connect = Callable[[IdentitySite], AbstractAsyncContextManager[SiteFiles]]


def connect(site: IdentitySite) -> AbstractAsyncContextManager[SiteFiles]:
    """The site's files by the transport its ``keys`` name (Invalid when it is none we know)."""
    home = home_of(site)
    if home.transport == "directory":
        from multisite.identity.keys.transport.directory import open_directory

        return open_directory(home.fernet_tokens)
    if home.transport == "ssh":
        from multisite.identity.keys.transport.ssh import open_ssh

        return open_ssh(home)
    raise Invalid(f"sites.{site.name}.keys.transport: {home.transport!r} is unknown; use directory or ssh")


def home_of(site: IdentitySite) -> KeyHome:
    if site.keys is None:
        raise Invalid(f"sites.{site.name}.keys: not set, and the site has a Keystone: say where its keys are")
    return site.keys
