"""SSH: files by SFTP, programs by exec.  Host keys are always verified; keys travel only inside the channel.

No agent, no configuration files, no forwarding: only what the topology names.  Renames use OpenSSH's
posix-rename (they replace), syncs its fsync (PROTOCOL of OpenSSH, sections 4.3 and 4.6), also of folders.
"""

from __future__ import annotations

import contextlib
import shlex
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path, PurePosixPath

import asyncssh

from multisite.domain.errors import Invalid
from multisite.identity import files
from multisite.identity.keys.transport.directory import account
from multisite.identity.keys.transport.model import Facts, SiteFiles, SiteProblem, known_names
from multisite.identity.topology.model import KeyHome

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 5


@contextlib.asynccontextmanager
async def open_ssh(home: KeyHome) -> AsyncIterator[SiteFiles]:
    """A connection to read a site once or to synchronize it."""
    for field in ("host", "client_key", "known_hosts"):
        if not getattr(home, field):
            raise Invalid(f"keys.{field}: not set; ssh needs host, client_key and known_hosts (a file)")
    where = f"{home.user}@{home.host} port {home.port}"
    try:
        connection = await asyncssh.connect(
            home.host, home.port, username=home.user, config=None, agent_path=None, agent_forwarding=False,
            client_keys=[home.client_key], known_hosts=str(Path(home.known_hosts)), preferred_auth="publickey",
            connect_timeout=CONNECT_SECONDS, login_timeout=CONNECT_SECONDS, keepalive_interval=KEEPALIVE_SECONDS,
            x509_trusted_certs=None,
        )  # fmt: skip
        async with connection, connection.start_sftp_client() as sftp:
            with _told(where):
                yield Ssh(connection, sftp)
    except asyncssh.HostKeyNotVerifiable:
        raise SiteProblem(
            f"{where}: its host key is not the one in {home.known_hosts}: find out why before you change that file"
        ) from None
    except asyncssh.PermissionDenied:
        raise SiteProblem(f"{where}: does not accept the key {home.client_key}") from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise SiteProblem(
            f"keys.client_key: {home.client_key} is not a private key without passphrase"
        ) from None
    except (OSError, asyncssh.Error) as error:
        raise SiteProblem(f"{where}: {_words(error)}") from None


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(getattr(error, "reason", "")) or type(error).__name__


@contextlib.contextmanager
def _told(what: str):  # type: ignore[no-untyped-def]
    """SFTP's errors with the path they are about; never with what was in a file."""
    try:
        yield
    except (asyncssh.SFTPError, asyncssh.ChannelOpenError) as error:
        raise SiteProblem(f"{what}: {_words(error)}") from None


class Ssh:
    """``SiteFiles`` over a connection."""

    def __init__(self, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        self._connection = connection
        self._sftp = sftp
        self._tables: dict[str, dict[str, int]] = {}

    async def names(self, folder: str) -> dict[str, Facts] | None:
        found = {}
        try:
            with _told(folder):
                for entry in await _entries(self._sftp, folder):
                    facts = entry.attrs
                    name = str(entry.filename)
                    if facts.permissions is not None and stat.S_ISLNK(facts.permissions):
                        facts = await self._sftp.stat(str(PurePosixPath(folder) / name))
                    if facts.permissions is not None and stat.S_ISREG(facts.permissions):
                        mode = stat.S_IMODE(facts.permissions)
                        found[name] = Facts(mode, _known(facts.uid), _known(facts.gid))
        except _Absent:
            return None
        return known_names(folder, found)

    async def folder(self, path: str) -> Facts | None:
        with _told(path):
            try:
                facts = await self._sftp.stat(path)
            except asyncssh.SFTPNoSuchFile:
                return None
        if facts.permissions is None:
            raise SiteProblem(f"{path}: its mode is not told")
        return Facts(stat.S_IMODE(facts.permissions), _known(facts.uid), _known(facts.gid))

    async def read(self, path: str) -> bytes:
        with _told(path):
            async with self._sftp.open(path, "rb") as file:
                return await file.read()

    async def make_folder(self, path: str, owner: tuple[int, int] | None, mode: int) -> None:
        with _told(path):
            if await self._sftp.isdir(path):
                return
            await self._sftp.mkdir(path, asyncssh.SFTPAttrs(permissions=mode))
            await self._sftp.chmod(path, mode)
            await self._give(path, owner)
            await self._sync(str(PurePosixPath(path).parent))

    async def put(
        self, path: str, data: bytes, owner: tuple[int, int] | None, mode: int, staging: str
    ) -> None:
        temporary = str(PurePosixPath(staging) / PurePosixPath(path).name)
        with _told(path):
            with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                await self._sftp.remove(temporary)
            attributes = asyncssh.SFTPAttrs(permissions=files.PRIVATE_FILE)
            async with self._sftp.open(temporary, "xb", attributes) as file:
                await file.write(data)
                await file.fsync()
            await self._give(temporary, owner)
            await self._sftp.chmod(temporary, mode)
            await self._sftp.posix_rename(temporary, path)
            await self._sync(str(PurePosixPath(path).parent))

    async def own(self, path: str, owner: tuple[int, int] | None, mode: int) -> None:
        with _told(path):
            await self._give(path, owner)
            await self._sftp.chmod(path, mode)
            await self._sync(path)

    async def rename(self, source: str, target: str) -> None:
        with _told(target):
            await self._sftp.posix_rename(source, target)
            await self._sync(str(PurePosixPath(target).parent))

    async def remove(self, path: str) -> None:
        with _told(path):
            with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                await self._sftp.remove(path)
            await self._sync(str(PurePosixPath(path).parent))

    async def account(self, owner: str, group: str) -> tuple[int, int] | None:
        """SFTP knows numbers only: names are answers up in the site's /etc/passwd and /etc/group."""
        users = await self._numbers("/etc/passwd") if owner and not owner.isdigit() else {}
        groups = await self._numbers("/etc/group") if group and not group.isdigit() else {}
        return account(owner, group, users.__getitem__, groups.__getitem__)

    async def run(self, argv: Sequence[str]) -> bytes:
        try:
            command = f"umask 077; exec {shlex.join(argv)}"
            done = await self._connection.run(command, stdin=asyncssh.DEVNULL, encoding=None)
        except asyncssh.Error as error:
            raise SiteProblem(f"{argv[0]}: {_words(error)}") from None
        if done.exit_status:
            raise SiteProblem(f"{' '.join(argv[:2])}: failed with status {done.exit_status}")
        assert isinstance(done.stdout, bytes)
        return done.stdout

    async def _numbers(self, path: str) -> dict[str, int]:
        if path not in self._tables:
            self._tables[path] = await self._read_numbers(path)
        return self._tables[path]

    async def _read_numbers(self, path: str) -> dict[str, int]:
        lines = (await self.read(path)).decode(errors="replace").splitlines()
        fields = (line.split(":") for line in lines)
        return {f[0]: int(f[2]) for f in fields if len(f) > 2 and f[2].isdigit()}

    async def _give(self, path: str, owner: tuple[int, int] | None) -> None:
        """Only when it is not right already: giving away needs root there."""
        if owner is None:
            return
        facts = await self._sftp.stat(path)
        uid, gid = (
            now if want < 0 else want for want, now in zip(owner, (facts.uid, facts.gid), strict=True)
        )
        if (uid, gid) != (facts.uid, facts.gid):
            await self._sftp.chown(path, _known(uid), _known(gid))

    async def _sync(self, folder: str) -> None:
        # Servers other than OpenSSH's may refuse to open a folder: then the next pass finds what a crash undid.
        with contextlib.suppress(asyncssh.SFTPError):
            async with self._sftp.open(folder, "rb") as handle:
                await handle.fsync()


class _Absent(Exception):
    """There is no such folder."""


async def _entries(sftp: asyncssh.SFTPClient, folder: str) -> Sequence[asyncssh.SFTPName]:
    try:
        return await sftp.readdir(folder)
    except asyncssh.SFTPNoSuchFile:
        raise _Absent from None


def _known(number: int | None) -> int:
    return -1 if number is None else number
