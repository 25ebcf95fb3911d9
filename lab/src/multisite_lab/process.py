"""A process remembered on disk, so that nothing else is ever killed in its place."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from multisite_lab.passwords import write_private


@dataclass(frozen=True)
class Record:
    """A pid with what tells it apart from a later process that got the same number."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Record:
        """Describe a running process."""
        return cls(pid, start_time(pid), _boot_id())

    @classmethod
    def load(cls, path: Path) -> Record | None:
        """The record in a file, or None when there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the record for later commands."""
        write_private(path, json.dumps(asdict(self)) + "\n")

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        try:
            return (
                self.boot == _boot_id() and start_time(self.pid) == self.started and _state(self.pid) != "Z"
            )
        except OSError:
            return False

    def kill(self, timeout: float = 60.0) -> float:
        """SIGKILL it and wait until it is gone; return the seconds that took.

        The process is pinned by a pid descriptor before it is compared with the record: between a comparison
        and a plain kill() the number could pass to somebody else.
        """
        begun = time.monotonic()
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return 0.0
        try:
            if not self.alive():
                return 0.0
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            if not poller.poll(int(timeout * 1000)):
                raise TimeoutError(f"process {self.pid} did not end within {timeout:.0f} s")
        finally:
            os.close(descriptor)
        return time.monotonic() - begun


def detach(
    command: Sequence[str | Path], log: Path, record: Path, mode: str = "a"
) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one, remembered in ``record``; its output goes to ``log``."""
    with log.open(mode) as file:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            cwd="/",
        )  # fmt: skip
    Record.of(started.pid).save(record)
    return started


def end_detached(record: Path) -> None:
    """End the program a record names, if it runs, and forget it."""
    found = Record.load(record)
    if found is not None:
        found.kill()
    record.unlink(missing_ok=True)


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot."""
    return int(_stat(pid)[19])


def only_child(pid: int) -> int | None:
    """The single child of a process, None while it has none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def members(init: int) -> dict[int, int]:
    """Every process in the pid namespace of `init`: its number inside -> its number outside."""
    found: dict[int, int] = {}
    try:
        namespace = Path(f"/proc/{init}/ns/pid").readlink()
    except OSError:
        return found
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if Path(f"{entry}/ns/pid").readlink() == namespace:
                    found[_inner_pid(entry)] = int(entry.name)
            except OSError:
                continue
    return found


def stopped(pid: int) -> bool:
    """Whether a process is held by SIGSTOP."""
    try:
        return _state(pid) == "T"
    except OSError:
        return False


def _inner_pid(entry: Path) -> int:
    for line in (entry / "status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    raise ProcessLookupError(entry.name)


def _stat(pid: int) -> list[str]:
    # The command name may hold blanks and parentheses: fields are counted after its last parenthesis.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def wait_until(condition: Callable[[], bool], what: str, timeout: float, every: float = 0.1) -> None:
    """Return as soon as the condition holds; raise TimeoutError, naming `what`, when it does not in time."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not so after {timeout:.0f} s")
        time.sleep(every)
