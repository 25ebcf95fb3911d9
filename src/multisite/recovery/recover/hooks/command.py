"""Running a program of the administrator's for a hook: no shell, a clean environment, a limit, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from multisite.jobs.model import StepFailed

LONGEST_SHOWN = 500
_KEPT = 4096
_POLL_SECONDS = 0.2
_GUARDIAN = Path(__file__).with_name("guardian.py")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def run(
    program: Path,
    told: Mapping[str, Any],
    timeout: float,
    go_on: Callable[[], None] = lambda: None,
) -> str:
    """The end of its output, for the journal.  It gets ``told`` as JSON on standard input, texts also as MULTISITE_*.

    Its process group is killed when it has ended, when the time is over, when ``go_on``, asked again and again,
    raises, and when this process dies (`guardian.py`).  Raises StepFailed: it cannot be run, ends with another status
    than 0, or not in time.
    """
    _check(program)
    words = {f"MULTISITE_{name.upper()}": value for name, value in told.items() if isinstance(value, str)}
    ours, lifeline = socket.socketpair()
    with ours:
        with lifeline:
            process = _started(program, ENVIRONMENT | words, lifeline)
        return _followed(process, program, told, timeout, go_on, ours)


def _started(
    program: Path, environment: Mapping[str, str], lifeline: socket.socket
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_GUARDIAN), str(lifeline.fileno()), str(program)],
        cwd="/",
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lifeline.fileno()],
        start_new_session=True,
    )


def _followed(
    process: subprocess.Popen[bytes],
    program: Path,
    told: Mapping[str, Any],
    timeout: float,
    go_on: Callable[[], None],
    ours: socket.socket,
) -> str:
    kept: list[bytes] = []
    reader = threading.Thread(target=_read, args=(process.stdout, kept), daemon=True)
    writer = threading.Thread(target=_write, args=(process.stdin, json.dumps(told).encode()), daemon=True)
    reader.start()
    writer.start()
    in_time = False
    try:
        in_time = _ended(process.pid, timeout, go_on)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # before it is waited for: its number is nobody else's yet
        status = process.wait()
        reader.join(1)
    said = _shown(b"".join(kept))
    if number := _not_started(ours):
        raise StepFailed(f"{program.name}: it cannot be run: {os.strerror(number)}: tell an administrator")
    if not in_time:
        raise StepFailed(f"{program.name}: killed after {timeout:.0f} s: {said or 'it said nothing'}")
    if status:
        raise StepFailed(f"{program.name}: ended with status {status}: {said or 'it said nothing'}")
    return said


def _check(program: Path) -> None:
    """It is the administrator's: nobody else can have written it."""
    try:
        found = program.stat()
    except OSError as error:
        raise StepFailed(
            f"{program.name}: {error.strerror}: let an administrator put it there, then resume"
        ) from error
    if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
        raise StepFailed(
            f"{program.name}: it is no program: let an administrator make it executable, then resume"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StepFailed(
            f"{program.name}: others than its owner may write it: let an administrator mend its mode"
        )


def _ended(pid: int, timeout: float, go_on: Callable[[], None]) -> bool:
    """Whether it ended in time; it is not waited for, so that its process group can still be named."""
    end = time.monotonic() + timeout
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if (left := end - time.monotonic()) <= 0:
            return False
        go_on()
        time.sleep(min(left, _POLL_SECONDS))
    return True


def _not_started(ours: socket.socket) -> int:
    """The error number with which it could not be started, 0 when it was; only for one that has ended."""
    ours.setblocking(False)
    with suppress(OSError):
        return int(ours.recv(16) or 0)
    return 0


def _read(stream: IO[bytes] | None, kept: list[bytes]) -> None:
    tail = b""
    while stream is not None and (chunk := os.read(stream.fileno(), 65536)):
        tail = (tail + chunk)[-_KEPT:]
        kept[:] = [tail]


def _write(stream: IO[bytes] | None, data: bytes) -> None:
    with suppress(OSError):  # it need not read it
        if stream is not None:
            stream.write(data)
            stream.close()


def _shown(output: bytes) -> str:
    text = "".join(c if c.isprintable() else " " for c in output.decode(errors="replace"))
    return " ".join(text.split())[-LONGEST_SHOWN:]
