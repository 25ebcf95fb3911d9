"""kill -9 before every operation of the SSH transport on a real OpenSSH server, in a rotation and a replacement.

As in test_kill, the operations are recorded and not chosen; one site of three is reached by SSH.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from cryptography.fernet import Fernet
from identity_keys.test_kill import HOUR, Clock, in_a_fork, judge_fernet, keys

from multisite.identity.keys import actions
from multisite.identity.keys.repository import Kind
from multisite.identity.keys.service import KeyService, Settings
from multisite.identity.topology.model import (
    Form,
    IdentitySite,
    KeyHome,
    Role,
    TokenProvider,
    Tokens,
    Topology,
)
from multisite_lab.sshd import Sshd

NAMES = ("paris", "lyon", "metz")
BY_SSH = "metz"
KINDS = ("tokens", "receipts")
OPERATIONS = ("mkdir", "chmod", "chown", "setstat", "posix_rename", "rename", "remove", "symlink", "truncate")
CASES: dict[str, Callable[[KeyService], object]] = {
    "rotation": lambda made: made.tick(),
    "replacement": lambda made: actions.replace_compromised(made, [Kind.TOKENS, Kind.RECEIPTS]),
}


@pytest.fixture
def sshd(memory: Path) -> Iterator[Sshd]:
    server = Sshd(memory / "sshd")
    server.start()
    yield server
    server.stop()


def service(folder: Path, clock: Clock, sshd: Sshd) -> KeyService:
    def home(name: str) -> KeyHome:
        folders = [str(folder / "sites" / name / kind) for kind in (*KINDS, "credential")]
        found = KeyHome("directory", *folders, owner="", group="")
        if name != BY_SSH:
            return found
        user = pwd.getpwuid(os.geteuid()).pw_name
        return replace(
            found, transport="ssh", host=sshd.address, port=sshd.port, user=user,
            client_key=str(sshd.client_key), known_hosts=str(sshd.known_hosts),
        )  # fmt: skip

    sites = tuple(IdentitySite(n, n, Role.MASTER, "127.0.0.1", keys=home(n)) for n in NAMES)
    tokens = Tokens(TokenProvider.FERNET, expiration=3600, allow_expired_window=3600, rotation_interval=3600)
    topology = Topology("europe", Form.CLUSTER, "http://127.0.0.1/v3", sites, tokens)
    return KeyService(topology, folder / "state", now=clock, settings=Settings(site_seconds=60))


def base(folder: Path, clock: Clock, sshd: Sshd) -> None:
    """So many rotations behind them that the next one purges."""
    for name in NAMES:
        (folder / "sites" / name).mkdir(parents=True)
    made = service(folder, clock, sshd)
    actions.adopt(made, create=True)
    for _ in range(4):
        clock.now += HOUR + 60
        made.tick()
    clock.now += HOUR + 60


def watched(seen: Callable[[str], None]) -> None:
    """From now on ``seen`` is called right before every operation that changes something at the site."""

    def wrap(owner: Any, name: str, changes: Callable[[tuple[Any, ...]], bool] = lambda _: True) -> None:
        real = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if changes(arguments):
                seen(name)
            return real(*arguments, **options)

        setattr(owner, name, call)

    for name in OPERATIONS:
        wrap(asyncssh.SFTPClient, name)
    wrap(asyncssh.SFTPClient, "open", lambda arguments: len(arguments) > 2 and "r" not in str(arguments[2]))
    for name in ("write", "fsync"):
        wrap(asyncssh.SFTPClientFile, name)


def recorded(folder: Path, clock: Clock, sshd: Sshd, act: Callable[[KeyService], object]) -> list[str]:
    log = folder.with_suffix(".calls")

    def do() -> None:
        calls: list[str] = []
        watched(calls.append)
        act(service(folder, clock, sshd))
        log.write_text("\n".join(calls))

    assert in_a_fork(do) == 0
    return log.read_text().split("\n")


def killed(folder: Path, clock: Clock, sshd: Sshd, act: Callable[[KeyService], object], at: int) -> None:
    def do() -> None:
        count = 0

        def seen(_name: str) -> None:
            nonlocal count
            count += 1
            if count > at:
                os.kill(os.getpid(), signal.SIGKILL)

        watched(seen)
        act(service(folder, clock, sshd))

    assert in_a_fork(do) == signal.SIGKILL


def only_whole_keys(folder: Path) -> None:
    """Keystone opens every file of a repository: each has to be a whole key, whatever was going on."""
    for kind in KINDS:
        for path in (folder / "sites" / BY_SSH / kind).iterdir():
            if path.is_file():
                assert path.name.isdigit(), f"{path.name} would be opened by Keystone"
                Fernet(path.read_bytes())


@pytest.mark.parametrize("case", CASES)
def test_killed_before_every_operation(case: str, memory: Path, sshd: Sshd) -> None:
    clock, act = Clock(), CASES[case]
    home = memory / "case"  # every case in the same place: the topology names it
    base(home, clock, sshd)
    old = {kind: [_token(home, name, kind) for name in NAMES] for kind in KINDS}
    shutil.copytree(home, memory / "base")
    calls = recorded(home, clock, sshd, act)
    assert len(calls) > 20, calls
    assert {"open", "write", "fsync", "posix_rename"} <= set(calls)
    for at in range(len(calls)):
        shutil.rmtree(home)
        shutil.copytree(memory / "base", home)
        killed(home, clock, sshd, act, at)
        only_whole_keys(home)
        for kind in KINDS:
            judge_fernet(home, kind, old[kind], across=case == "rotation")
        _resumes(home, clock, sshd, case)
        for kind in KINDS:
            judge_fernet(home, kind, old[kind] if case == "rotation" else [], across=True)
    print(f"\n{case} by SSH: killed before each of {len(calls)} operations: always usable, always finished")


def _token(folder: Path, site: str, kind: str) -> bytes:
    return Fernet(keys(folder, site, kind)[0]).encrypt(b"old")


def _resumes(folder: Path, clock: Clock, sshd: Sshd, case: str) -> None:
    made = service(folder, clock, sshd)
    state = made.tick()
    if state.emergency is None and case == "replacement":
        CASES[case](made)
        state = made.journal.load()
    assert all(kind.settled_at is not None for kind in state.kinds.values())
    assert len({tuple(keys(folder, name, "receipts")) for name in NAMES}) == 1
    left = [p for p in (folder / "sites").rglob("*") if p.parent.name == ".multisite"]
    assert left == [], "half-written keys lie around"


def test_the_judge_sees_a_half_written_key(memory: Path, sshd: Sshd) -> None:
    """The control: a file that is not complete, and one whose name Keystone does not know."""
    clock = Clock()
    base(memory / "case", clock, sshd)
    only_whole_keys(memory / "case")
    folder = memory / "case/sites" / BY_SSH / "tokens"
    (folder / "half").write_bytes(b"")
    with pytest.raises(AssertionError, match="would be opened"):
        only_whole_keys(memory / "case")
    (folder / "half").unlink()
    (folder / "0").write_bytes((folder / "0").read_bytes()[:20])
    with pytest.raises(ValueError, match="Fernet key"):
        only_whole_keys(memory / "case")
