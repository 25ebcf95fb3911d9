"""Processes of the service, as whoever holds the sites starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.matrix.process import LOG, TOLD, Order
from tests.sim.service import ROOT

KILLED = -9


@dataclass(frozen=True)
class Ended:
    """``told``: what its verb gave, None after a death."""

    code: int
    told: Any
    log: Path

    def words(self) -> str:
        """For one that was not to end like that."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"exit status {self.code}; last line of its log: {(lines or ['(nothing)'])[-1][:300]}"


class Processes:
    """Starts one at a time; have one of these for each thread."""

    def __init__(self, *, hurry: bool, seconds: float, plant: str | None = None) -> None:
        self._seconds = seconds
        self._plant = plant
        argv = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.matrix.fork_server",
            *(["--hurry"] if hurry else []),
        ]
        self._fork_server = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._fork_server.stdin is not None
        self._fork_server.stdin.close()
        self._fork_server.wait(30)

    def run(
        self,
        folder: Path,
        verb: str,
        words: dict[str, Any],
        death: tuple[str, str, int] | None = None,
        *,
        record: bool = False,
        commits: bool = False,
        kill_after: float | None = None,
    ) -> Ended:
        """Until it has ended, or its time is over, or, killed then, ``kill_after`` seconds."""
        order = Order(str(folder), verb, words, death, record, self._plant, commits)
        assert self._fork_server.stdin is not None
        limits = {"seconds": self._seconds, "kill_after": kill_after}
        self._fork_server.stdin.write(json.dumps(asdict(order) | limits) + "\n")
        self._fork_server.stdin.flush()
        code = int(json.loads(self._answer())["code"])
        told = json.loads((folder / TOLD).read_text()) if code == 0 else None
        return Ended(code, told, folder / LOG)

    def _answer(self) -> str:
        assert self._fork_server.stdout is not None
        line = self._fork_server.stdout.readline()
        if not line:
            raise RuntimeError(f"the process they are forked from has ended: {self._fork_server.wait()}")
        return line
