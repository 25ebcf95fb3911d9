"""The process that those of the service are forked from, so that each begins with everything imported.

    python -m tests.matrix.fork_server [--hurry]

Reads orders (``process.Order`` as JSON, with ``seconds`` it may take, and ``kill_after``: when it is killed, or null)
from its standard input, a line each; answers each with a line ``{"code": -9}``, the exit status of that process.  It
imports nothing before it has to: ``--hurry`` must come first.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOO_LONG = 124
"""Exit status told of a process that had to be ended."""
_sleep = time.sleep


def hurry() -> None:
    """Simulated sites are a hundred times as fast as real ones: look at them ten times as often.

    Everything that waits between two looks does it with ``time.sleep``; what sites themselves wait for is in
    another process.
    """

    def sleep(seconds: Any) -> None:
        _sleep(seconds if seconds <= 0.02 else max(0.02, seconds / 10))

    time.sleep = sleep


def follow(pid: int, seconds: float, kill_after: float | None) -> int:
    """How the child ended; it is killed when its time is over, and at the moment that was asked for."""
    begun = time.monotonic()
    end = begun + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if kill_after is not None and time.monotonic() > begun + kill_after:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return TOO_LONG
        _sleep(0.005)


def main() -> None:
    if "--hurry" in sys.argv:
        hurry()
    process: Any = importlib.import_module("tests.matrix.process")
    with tempfile.TemporaryDirectory() as folder:
        process.warm(Path(folder))
    nothing = os.open(os.devnull, os.O_RDONLY)
    print("ready", flush=True)
    for line in sys.stdin:
        fields = json.loads(line)
        seconds, kill_after = fields.pop("seconds"), fields.pop("kill_after")
        if fields["death"] is not None:
            fields["death"] = tuple(fields["death"])
        pid = os.fork()
        if pid == 0:
            os.dup2(nothing, 0)
            os._exit(process.run(process.Order(**fields)))
        code = follow(pid, seconds, kill_after)
        with contextlib.suppress(
            BrokenPipeError
        ):  # whoever asked has ended: so does the next look for orders
            print(json.dumps({"code": code}), flush=True)


if __name__ == "__main__":
    main()
