"""A network of the tests' own, and nodes: programs that see their rendered files at the places they are meant for."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
_FOLDERS = ("state", "run/mysqld", "run/haproxy", "log/keystone", "etc")
# The node's files over the machine's, all read-only, except what it writes in operation.
_ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=$NODE/etc:/etc" /etc
[ ! -d "$NODE/etc/keystone" ] || mount --bind "$NODE/etc/keystone" /etc/keystone
mount --bind "$NODE/state" /var/lib/mysql
mount --bind "$NODE/run" /run
mount --bind "$NODE/log" /var/log
exec "$@"
"""
# Ends what was started when the tests are gone, however they went: their end of the pipe is then closed.
_GUARDIAN = """
import os, signal, sys
groups = [int(line) for line in sys.stdin]
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


def own_network() -> None:
    """Move this process, and what it starts from now on, into a network namespace nobody else is in."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "the tests need root, for a network of their own")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextmanager
def another_network() -> Iterator[None]:
    """As ``own_network``, for a while; what was started before stays where it is."""
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        own_network()
        try:
            yield
        finally:
            if ctypes.CDLL(None, use_errno=True).setns(before.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "the tests cannot go back to their network")


def addresses(wanted: Iterable[str]) -> None:
    """Let the machine have these addresses, in the tests' own network."""
    for address in sorted(set(wanted)):
        subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.1)
    return answer


class Guardian:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _GUARDIAN], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, group: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{group}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Ends all that is still there."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


class Node:
    """``folder``: the rendered files of one node."""

    def __init__(self, folder: Path, guardian: Guardian) -> None:
        self.folder = folder
        self._guardian = guardian
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)

    def run(self, *command: str | Path, text: str = "", environment: dict[str, str] | None = None) -> str:
        """Run a command there to its end; its standard output."""
        done = subprocess.run(
            self._enter(command), input=text, capture_output=True, text=True, timeout=600,
            env=self._environment() | (environment or {}),
        )  # fmt: skip
        assert not done.returncode, (
            f"{command[0]} at {self.folder}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        )
        return done.stdout

    def start(self, name: str, *command: str | Path) -> None:
        """Start a program there; its output goes to ``log/<name>.out``."""
        with (self.folder / f"log/{name}.out").open("ab") as log:
            process = subprocess.Popen(
                self._enter(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self._environment(), cwd=self.folder / "state",
            )  # fmt: skip
        self._running[name] = process
        self._guardian.watch(process.pid)

    def stop(self, name: str, *, crash: bool = False) -> None:
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL if crash else signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def stop_all(self) -> None:
        for name in list(self._running)[::-1]:
            self.stop(name)

    def said(self, name: str) -> str:
        return (self.folder / f"log/{name}.out").read_text(errors="replace")[-2000:]

    def alive(self, name: str) -> bool:
        return self._running[name].poll() is None

    def _enter(self, command: tuple[str | Path, ...]) -> list[str | Path]:
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "node", *command]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"NODE": str(self.folder), "PYTHONWARNINGS": "ignore"}


def wipe(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
