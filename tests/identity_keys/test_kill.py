"""kill -9 before every call that changes a file, in a rotation, a replacement and a JWS rotation.

The calls are not chosen by hand: an undisturbed run records all of them (by whoever they are made, in this process),
then a process is forked for each and kills itself right before it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import serialization

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

NAMES = ("paris", "lyon", "metz")
CHANGES = (
    "open", "write", "pwrite", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "chmod", "fchmod",
    "chown", "fchown", "ftruncate", "link", "symlink",
)  # fmt: skip
HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def service(folder: Path, clock: Clock, provider: TokenProvider) -> KeyService:
    def home(name: str) -> KeyHome:
        folders = [
            str(folder / "sites" / name / f)
            for f in ("tokens", "receipts", "credential", "public", "private")
        ]
        return KeyHome("directory", *folders, owner="", group="")

    sites = tuple(IdentitySite(n, n, Role.MASTER, "127.0.0.1", keys=home(n)) for n in NAMES)
    tokens = Tokens(provider, expiration=3600, allow_expired_window=3600, rotation_interval=3600)
    topology = Topology("europe", Form.CLUSTER, "http://127.0.0.1/v3", sites, tokens)
    return KeyService(topology, folder / "state", now=clock, settings=Settings(site_seconds=60))


def base(folder: Path, clock: Clock, provider: TokenProvider) -> None:
    """Sites in their prime: so many rotations behind them that the next one purges."""
    for name in NAMES:
        (folder / "sites" / name).mkdir(parents=True)
    made = service(folder, clock, provider)
    actions.adopt(made, create=True)
    for _ in range(4):
        clock.now += HOUR + 60
        made.tick()
    clock.now += HOUR + 60


def rotate(made: KeyService) -> None:
    made.tick()


def replace(made: KeyService) -> None:
    actions.replace_compromised(made, [Kind.TOKENS, Kind.RECEIPTS])


def replace_pair(made: KeyService) -> None:
    actions.replace_compromised(made, [], ["lyon"])


CASES: dict[str, tuple[TokenProvider, Callable[[KeyService], None]]] = {
    "rotation": (TokenProvider.FERNET, rotate),
    "replacement": (TokenProvider.FERNET, replace),
    "jws rotation": (TokenProvider.JWS, rotate),
    "jws replacement": (TokenProvider.JWS, replace_pair),
}


def watched(seen: Callable[[str], None]) -> None:
    """From now on ``seen`` is called right before every call that changes a file, and before programs are run."""
    lock = threading.Lock()
    for name in CHANGES:
        real = getattr(os, name)

        def call(*arguments: Any, real: Any = real, name: str = name, **options: Any) -> Any:
            reads = name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR)
            if not reads:
                with lock:
                    seen(name)
            return real(*arguments, **options)

        setattr(os, name, call)
    run = subprocess.run

    def run_watched(*arguments: Any, **options: Any) -> Any:
        if "genpkey" in arguments[0]:
            with lock:
                seen("openssl genpkey")
        return run(*arguments, **options)

    subprocess.run = run_watched  # type: ignore[assignment]


def in_a_fork(act: Callable[[], None]) -> int:
    """The wait status of a process that does it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed(folder: Path, clock: Clock, case: str, at: int) -> None:
    provider, act = CASES[case]

    def do() -> None:
        made, count = service(folder, clock, provider), 0

        def seen(name: str) -> None:
            nonlocal count
            count += 1
            if count > at:
                os.kill(os.getpid(), signal.SIGKILL)

        watched(seen)
        act(made)

    assert in_a_fork(do) == signal.SIGKILL


def recorded(folder: Path, clock: Clock, case: str) -> list[str]:
    provider, act = CASES[case]
    log = folder.with_suffix(".calls")

    def do() -> None:
        made = service(folder, clock, provider)
        calls: list[str] = []
        watched(calls.append)
        act(made)
        with log.open("w") as file:
            file.write("\n".join(calls))

    assert in_a_fork(do) == 0
    return log.read_text().split("\n")


def keys(folder: Path, site: str, kind: str) -> list[bytes]:
    """As Keystone's load_keys: every file with a number for a name that is not empty, highest first."""
    at = folder / "sites" / site / kind
    numbered = sorted((int(p.name) for p in at.iterdir() if p.is_file() and p.name.isdigit()), reverse=True)
    return [data for n in numbered if (data := (at / str(n)).read_bytes())]


def judge_fernet(folder: Path, kind: str, old: list[bytes], *, across: bool) -> None:
    """Every site can issue; ``across``: and all accept it, and the tokens from before."""
    crypto = {}
    for name in NAMES:
        found = keys(folder, name, kind)
        assert found, f"{name} has no usable {kind}"
        crypto[name] = MultiFernet([Fernet(k) for k in found])
        crypto[name].decrypt(crypto[name].encrypt(b"x"))
    if across:
        for token in [*old, *(c.encrypt(b"x") for c in crypto.values())]:
            for name, taker in crypto.items():
                try:
                    taker.decrypt(token)
                except InvalidToken:
                    pytest.fail(f"{name} refuses a {kind} of another site")


def judge_jws(folder: Path, *, across: bool) -> None:
    """Every site can sign, and all sites have the public half of what it signs with."""
    for name in NAMES:
        pem = (folder / "sites" / name / "private/private.pem").read_bytes()
        public = serialization.load_pem_private_key(pem, None).public_key()
        half = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for other in NAMES if across else ():
            files = (folder / "sites" / other / "public").iterdir()
            assert half in [p.read_bytes() for p in files], f"{other} refuses tokens of {name}"


@pytest.mark.parametrize("case", CASES)
def test_killed_before_every_change(case: str, memory: Path) -> None:
    provider, _ = CASES[case]
    clock, jws = Clock(), provider == TokenProvider.JWS
    base(memory / "base", clock, provider)
    kinds = ("receipts",) if jws else ("tokens", "receipts")
    old = {kind: [_token(memory / "base", name, kind) for name in NAMES] for kind in kinds}
    shutil.copytree(memory / "base", memory / "whole")
    calls = recorded(memory / "whole", clock, case)
    assert len(calls) > 60, calls
    replaced = "replacement" in case
    for at in range(len(calls)):
        folder = memory / "case"
        shutil.copytree(memory / "base", folder)
        killed(folder, clock, case, at)
        for kind in kinds:
            judge_fernet(folder, kind, old[kind], across=not replaced)
        if jws:
            judge_jws(folder, across=not replaced)
        _resumes(folder, clock, case)
        for kind in kinds:
            judge_fernet(folder, kind, [] if replaced and not jws else old[kind], across=True)
        if jws:
            judge_jws(folder, across=True)
        shutil.rmtree(folder)
    print(f"\n{case}: killed before each of {len(calls)} changes: always usable, always finished")


def _token(folder: Path, site: str, kind: str) -> bytes:
    return MultiFernet([Fernet(k) for k in keys(folder, site, kind)]).encrypt(b"old")


def _resumes(folder: Path, clock: Clock, case: str) -> None:
    """A new process finishes what was begun; what was not yet in the journal is begun anew."""
    made = service(folder, clock, CASES[case][0])
    state = made.tick()
    if state.emergency is None and "replacement" in case:
        CASES[case][1](made)
        state = made.journal.load()
    assert all(kind.settled_at is not None for kind in state.kinds.values())
    assert state.kinds[Kind.RECEIPTS].promoted_at == clock.now
    assert len({tuple(keys(folder, name, "receipts")) for name in NAMES}) == 1
    if "replacement" in case:
        assert state.emergency is not None
        assert state.emergency.ended_at is not None
    wanted = {f for kind in state.kinds.values() for f in kind.desired.fingerprints}
    assert {p.name for p in (folder / "state/vault").iterdir()} == wanted
    left = [
        p for p in (folder / "sites").rglob("*") if p.parent.name == ".multisite" and "private" not in p.parts
    ]
    assert left == [], "half-written keys lie around"


def test_the_judge_sees_a_repository_that_is_unusable(memory: Path) -> None:
    """The control: the order of an install turned around leaves a site without the new primary."""
    clock = Clock()
    base(memory / "base", clock, TokenProvider.FERNET)
    for path in (memory / "base/sites/lyon/tokens").iterdir():
        if path.is_file() and path.name != "0":
            path.write_bytes(b"")
    with pytest.raises(pytest.fail.Exception, match="refuses"):
        judge_fernet(memory / "base", "tokens", [], across=True)
    (memory / "base/sites/lyon/tokens/0").unlink()
    with pytest.raises(AssertionError, match="no usable"):
        judge_fernet(memory / "base", "tokens", [], across=False)
