"""Folders of this machine (or mounted on it).  Blocking calls run in threads, because a dead mount hangs for ever."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import stat
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from multisite.identity import files
from multisite.identity.keys.transport.model import Facts, SiteFiles, SiteProblem, known_names

T = TypeVar("T")
COMMAND_SECONDS = 30


_hanging: dict[str, list[threading.Thread]] = {}
"""By site's first folder: calls nobody waits for any more, which may still take effect."""


@contextlib.asynccontextmanager
async def open_directory(name: str) -> AsyncIterator[SiteFiles]:
    """``name``: tells the sites apart.  Raises SiteProblem while a call given up earlier still hangs there."""
    _hanging[name] = [thread for thread in _hanging.get(name, []) if thread.is_alive()]
    if _hanging[name]:
        raise SiteProblem(f"{name}: an earlier call still hangs")
    yield Directory(_hanging[name])


class Directory:
    """``SiteFiles`` of this machine."""

    def __init__(self, hanging: list[threading.Thread]) -> None:
        self._hanging = hanging

    async def names(self, folder: str) -> dict[str, Facts] | None:
        return await self._apart(folder, lambda: _names(folder))

    async def folder(self, path: str) -> Facts | None:
        return await self._apart(path, lambda: _folder(path))

    async def read(self, path: str) -> bytes:
        return await self._apart(path, Path(path).read_bytes)

    async def make_folder(self, path: str, owner: tuple[int, int] | None, mode: int) -> None:
        await self._apart(path, lambda: _make_folder(Path(path), owner, mode))

    async def put(
        self, path: str, data: bytes, owner: tuple[int, int] | None, mode: int, staging: str
    ) -> None:
        await self._apart(
            path, lambda: files.write(Path(path), data, mode, owner=owner, staging=Path(staging))
        )

    async def own(self, path: str, owner: tuple[int, int] | None, mode: int) -> None:
        await self._apart(path, lambda: files.own(Path(path), owner, mode))

    async def rename(self, source: str, target: str) -> None:
        await self._apart(target, lambda: _rename(Path(source), Path(target)))

    async def remove(self, path: str) -> None:
        await self._apart(path, lambda: _remove(Path(path)))

    async def account(self, owner: str, group: str) -> tuple[int, int] | None:
        return account(owner, group, lambda n: pwd.getpwnam(n).pw_uid, lambda n: grp.getgrnam(n).gr_gid)

    async def run(self, argv: Sequence[str]) -> bytes:
        return await self._apart(argv[0], lambda: _run(argv))

    async def _apart(self, what: str, call: Callable[[], T]) -> T:
        """In a thread nobody waits for at the end: asyncio's own pool would keep the process from ending."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # who gives up does not cancel it: it may still take effect

        def work() -> None:
            try:
                answer.set_result(call())
            except OSError as error:
                answer.set_exception(SiteProblem(f"{what}: {error.strerror or type(error).__name__}"))
            except BaseException as error:
                answer.set_exception(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            return await asyncio.wrap_future(answer)
        except asyncio.CancelledError:
            self._hanging.append(thread)
            raise


def account(
    owner: str, group: str, uid: Callable[[str], int], gid: Callable[[str], int]
) -> tuple[int, int] | None:
    """Names or numbers to numbers; "" leaves what is there (-1)."""
    if not owner and not group:
        return None
    try:
        return (_number(owner, uid), _number(group, gid))
    except KeyError:
        raise SiteProblem(
            f"keys.owner, keys.group: there is no {owner}:{group} there; name the user Keystone runs as"
        ) from None


def _number(name: str, look_up: Callable[[str], int]) -> int:
    return -1 if not name else int(name) if name.isdigit() else look_up(name)


def _names(folder: str) -> dict[str, Facts] | None:
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    facts = entry.stat()
                    found[entry.name] = Facts(stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid)
    except FileNotFoundError:
        return None
    return known_names(folder, found)


def _folder(path: str) -> Facts | None:
    try:
        facts = Path(path).stat()
    except FileNotFoundError:
        return None
    return Facts(stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid)


def _make_folder(path: Path, owner: tuple[int, int] | None, mode: int) -> None:
    if path.is_dir():
        return
    path.mkdir(mode=mode)
    path.chmod(mode)
    if owner is not None:
        os.chown(path, *owner)
    files.sync_folder(path.parent)


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
    files.sync_folder(target.parent)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    files.sync_folder(path.parent)


def _run(argv: Sequence[str]) -> bytes:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            umask=0o077,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SiteProblem(f"{argv[0]}: no answer within {COMMAND_SECONDS} s") from None
    if done.returncode:
        # What it wrote is not shown: it may quote what it read.
        raise SiteProblem(f"{' '.join(argv[:2])}: failed with status {done.returncode}")
    return done.stdout
