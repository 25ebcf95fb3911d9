"""Neither a core dump nor another process of its user shows what a process has in its memory."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command.reading import ORDINARY, read

SECRET = "planted-in-memory-6f02"
PROGRAM = """
import signal, sys
from multisite.command.memory import protect
protect(allow_core_dumps=sys.argv[1] == "allowed")
secret = sys.stdin.readline()
print("ready", flush=True)
signal.pause()
"""
"""Nothing of the secret is in its arguments."""


@contextmanager
def holding(folder: Path, allowed: str) -> Iterator[int]:
    """The id of a process that has the secret in its memory, and leaves its core in the folder if it can."""

    def unlimited() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    argv = [*ORDINARY, sys.executable, "-c", PROGRAM, allowed]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, preexec_fn=unlimited
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{SECRET}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize(("allowed", "said"), [("refused", "denied"), ("allowed", "found")])
def test_its_memory_cannot_be_read(tmp_path: Path, allowed: str, said: str) -> None:
    """The control: it is found where that is allowed."""
    with holding(tmp_path, allowed) as pid:
        assert read(pid, SECRET) == said


@pytest.mark.parametrize("death", [signal.SIGABRT, signal.SIGSEGV])
@pytest.mark.parametrize("allowed", ["refused", "allowed"])
def test_it_leaves_no_core(tmp_path: Path, death: signal.Signals, allowed: str) -> None:
    """The control: it leaves one where that is allowed."""
    with holding(tmp_path, allowed) as pid:
        os.kill(pid, death)
        _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == death
    assert os.WCOREDUMP(status) == (allowed == "allowed")
    assert allowed == "allowed" or list(tmp_path.iterdir()) == []
