"""A program of the storage's, with a limit: nothing of it goes on when it is over."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """``status`` None: it did not end in time and was killed."""

    status: int | None
    out: str
    error: str


def run(argv: Sequence[str], seconds: float) -> Done:
    """Run it by itself, without our environment's CEPH_ARGS.  Raises OSError when it cannot be started."""
    environment = {name: value for name, value in os.environ.items() if name != "CEPH_ARGS"}
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    try:
        out, error = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        return Done(None, "", "")
    except BaseException:
        _kill(process)
        raise
    return Done(process.returncode, out, error)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
