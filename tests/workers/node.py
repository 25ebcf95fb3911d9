"""A worker process under test: carries out jobs of the kind "test", which act on a file outside.

    python node.py URL JOURNAL NAME [--no-fence] [--clock=FILE]

``--no-fence`` takes away what keeps a worker without a lease from acting; ``--clock`` names a file with the
seconds this host's clock is wrong by.

The journal is the outside world: lines of JSON, appended (O_APPEND: whole, in one order for all processes).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from multisite.domain import fence
from multisite.jobs.engine import JobEngine
from multisite.jobs.executor import Sharing
from multisite.jobs.lease import WorkerLease
from multisite.jobs.model import Ended, JobKind, Step, StepContext, StepFailed
from multisite.jobs.records import Claim, Records
from multisite.store import types
from multisite.store.database import Database

LIMITS = {"backup": 2, "calls": 3}


class Journal:
    """Append-only, shared by all processes of a test."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def write(self, do: str, **facts: Any) -> None:
        line = {"do": do, "by": self.name, "at": time.clock_gettime(time.CLOCK_BOOTTIME), **facts}
        os.write(self._file, (json.dumps(line) + "\n").encode())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


def kind(journal: Journal) -> JobKind:
    """``params``: steps (count, in ``width`` chains), seconds each, a limit, "fail" (name: times), policy."""

    def build(params: Mapping[str, Any]) -> list[Step]:
        width = params.get("width", 1)

        def step(number: int) -> Step:
            name = f"s{number}"

            def act(ctx: Any, do: str) -> Any:
                facts = {"job": ctx.job_id, "step": name, "attempt": ctx.attempt, "epoch": ctx.epoch}
                journal.write("begin", what=do, interrupted=ctx.interrupted, **facts)
                there = _there(journal, ctx, name) if ctx.interrupted else None
                journal.write("enter", limit=params.get("limit"), **facts)
                _work(ctx, params["seconds"])
                if do == "make" and params.get("fail", {}).get(name, 0) >= ctx.attempt:
                    raise StepFailed(f"{name} cannot be made")
                wanted = "made" if do == "make" else "removed"
                if there != wanted:
                    fence.check()
                    journal.write(wanted, **facts)
                journal.write("leave", limit=params.get("limit"), **facts)
                return {"made": name}

            def undo(ctx: StepContext, result: Any) -> None:
                act(ctx, "remove")

            needs = (f"s{number - width}",) if number >= width else ()
            return Step(name, f"make {name}", lambda ctx: act(ctx, "make"), undo, needs, params.get("limit"))

        return [step(number) for number in range(params["steps"])]

    def finished(job: Ended) -> None:
        journal.write("told", job=job.id, state=job.state)

    return JobKind("test", build, on_failure="pause", limits=LIMITS, finished=finished)


def _there(journal: Journal, ctx: StepContext, name: str) -> str | None:
    """Look for what this step made before, as every step has to."""
    found = [
        line["do"] for line in journal.lines() if (line.get("job"), line.get("step")) == (ctx.job_id, name)
    ]
    return next((do for do in reversed(found) if do in ("made", "removed")), None)


def _work(ctx: StepContext, seconds: float) -> None:
    """Like a call being prepared: the worker may be frozen in it, and must notice before it acts."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not ctx.cancelled():
        time.sleep(0.02)


def tell_claims(journal: Journal) -> None:
    claim = Records.claim

    def told(self: Records, job_id: str, *args: Any, **kwargs: Any) -> Claim | None:
        claimed = claim(self, job_id, *args, **kwargs)
        if claimed is not None:
            journal.write("claim", job=job_id, epoch=claimed.epoch)
        return claimed

    Records.claim = told  # type: ignore[method-assign]


def set_clock(file: Path) -> None:
    """The time of day is wrong from now on: for Python, and for all that asks the store's clock."""
    right = time.time

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=float(file.read_text()))

    time.time = lambda: right() + float(file.read_text())
    types.datetime = Wrong  # type: ignore[attr-defined]


def main(url: str, path: str, name: str, *options: str) -> int:
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(message)s")
    logging.getLogger("dbos").setLevel(logging.ERROR)
    if "--no-fence" in options:
        WorkerLease.check = lambda self: None  # type: ignore[method-assign]
        WorkerLease.lost = False  # type: ignore[assignment, misc]
        WorkerLease.lose = lambda self: None  # type: ignore[method-assign]
    for option in options:
        if option.startswith("--clock="):
            set_clock(Path(option.removeprefix("--clock=")))
    journal = Journal(Path(path), name)
    tell_claims(journal)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    engine = JobEngine(Database(url), Sharing(name))
    engine.register(kind(journal))
    engine.launch()
    journal.write("up")
    signal.sigwait({signal.SIGTERM})
    engine.shutdown()
    journal.write("down")
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
