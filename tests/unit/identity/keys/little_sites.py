"""Sites in memory behind the transport's contract, with Keystone's way of reading a repository."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from multisite.identity.keys import actions
from multisite.identity.keys.service import KeyService, Settings
from multisite.identity.keys.transport.model import Facts, SiteProblem
from multisite.identity.topology.model import Form, IdentitySite, KeyHome, Role, Tokens, Topology

TOKENS = Tokens(expiration=3600, allow_expired_window=7200, rotation_interval=3600)
"""Three hours of life, a rotation each hour: 5 keys."""


class Crash(BaseException):
    """kill -9, as far as a test in one process can have it."""


class World:
    """Files of all sites by path; ``changed`` is called after every change, ``budget`` changes until the crash."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = set()
        self.cut: set[str] = set()
        self.budget: int | None = None
        self.changed: Callable[[], None] = lambda: None
        self.changes = 0

    def change(self, do: Callable[[], Any]) -> None:
        if self.budget is not None:
            self.budget -= 1
            if self.budget < 0:
                raise Crash
        do()
        self.changes += 1
        self.changed()

    def keys(self, site: str, kind: str = "fernet_tokens") -> list[bytes]:
        """As ``FernetUtils.load_keys``: by number, highest first."""
        folder = f"/{site}/{kind}/"
        names = [p.removeprefix(folder) for p in self.files if p.startswith(folder)]
        numbers = sorted((int(n) for n in names if n.isdigit()), reverse=True)
        return [self.files[f"{folder}{n}"] for n in numbers]

    def issue(self, site: str) -> bytes:
        return MultiFernet([Fernet(k) for k in self.keys(site)]).encrypt(b"who am I")

    def accepts(self, site: str, token: bytes) -> bool:
        try:
            MultiFernet([Fernet(k) for k in self.keys(site)]).decrypt(token)
        except (InvalidToken, ValueError):
            return False
        return True

    @contextlib.asynccontextmanager
    async def connect(self, site: IdentitySite) -> AsyncIterator[Little]:
        yield Little(self, site.name)


class Little:
    """``SiteFiles`` of one site."""

    def __init__(self, world: World, site: str) -> None:
        self.world, self.site = world, site

    def _there(self) -> None:
        if self.site in self.world.cut:
            raise SiteProblem("cut off")

    async def names(self, folder: str) -> dict[str, Facts] | None:
        self._there()
        if folder not in self.world.folders:
            return None
        found = [p.rpartition("/") for p in self.world.files]
        return {name: Facts(0o600, 1, 1) for parent, _, name in found if parent == folder}

    async def folder(self, path: str) -> Facts | None:
        self._there()
        return Facts(0o700, 1, 1) if path in self.world.folders else None

    async def read(self, path: str) -> bytes:
        self._there()
        return self.world.files[path]

    async def make_folder(self, path: str, owner: object, mode: int) -> None:
        self._there()
        self.world.change(lambda: self.world.folders.add(path))

    async def put(self, path: str, data: bytes, owner: object, mode: int, staging: str) -> None:
        self._there()
        assert staging in self.world.folders
        self.world.change(lambda: self.world.files.__setitem__(path, data))

    async def own(self, path: str, owner: object, mode: int) -> None:
        self._there()

    async def rename(self, source: str, target: str) -> None:
        self._there()
        self.world.change(lambda: self.world.files.__setitem__(target, self.world.files.pop(source)))

    async def remove(self, path: str) -> None:
        self._there()
        self.world.change(lambda: self.world.files.pop(path, None))

    async def account(self, owner: str, group: str) -> tuple[int, int] | None:
        return (1, 1)

    async def run(self, argv: Sequence[str]) -> bytes:
        raise AssertionError("nothing is run here")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def home(site: str, root: str = "", **others: Any) -> KeyHome:
    folders = {kind: f"{root}/{site}/{kind}" for kind in ("fernet_tokens", "fernet_receipts", "credential")}
    return KeyHome("directory", **folders, **{"owner": "", "group": "", **others})


def topology(names: Sequence[str], tokens: Tokens = TOKENS, root: str = "", **others: Any) -> Topology:
    sites = tuple(IdentitySite(n, n, Role.MASTER, "127.0.0.1", keys=home(n, root, **others)) for n in names)
    return Topology("europe", Form.CLUSTER, "http://127.0.0.1:5000/v3", sites, tokens)


def service(
    world: World, clock: Clock, folder: Path, names: Sequence[str], tokens: Tokens = TOKENS
) -> KeyService:
    return KeyService(
        topology(names, tokens), folder, connect=world.connect, now=clock, settings=Settings(site_seconds=5)
    )


def started(world: World, clock: Clock, folder: Path, names: Sequence[str]) -> KeyService:
    made = service(world, clock, folder, names)
    actions.adopt(made, create=True)
    return made
