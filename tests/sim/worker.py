"""The service in a process of its own, for one verb; started by ``service.worker_process``.

    python -m tests.sim.worker FOLDER protect NAME | recover POINT [MAPPING] | undo RECOVERY | rest [--die-at N]

With ``--die-at N`` it kills itself (-9) right after the N-th commit of a step's state, counted from 1: the
boundaries between steps and around their effects.  Prints what came of it as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from multisite.jobs.records import Records
from tests.sim.service import Service

COMMITS = ("create", "claim", "begin", "begin_undo", "end", "conclude", "conclude_undo", "settle")


def watch(folder: Path, die_at: int | None) -> None:
    """Note every commit of the engine; die at the one that was asked for."""
    lock, count = threading.Lock(), 0

    def passed(name: str) -> None:
        nonlocal count
        with lock:
            count += 1
            with (folder / "boundaries").open("a") as notes:
                notes.write(name + "\n")
            if count == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Records, *args: Any, **kwargs: Any) -> Any:
            answer = method(self, *args, **kwargs)
            step = f"-{args[1]}" if name in ("begin", "begin_undo", "end") else ""
            state = f"-{args[2]}" if name == "end" else ""
            passed(f"{name}{step}{state}")
            return answer

        return call

    for name in COMMITS:
        setattr(Records, name, wrap(name, getattr(Records, name)))


def work(service: Service, verb: str, words: list[str]) -> Any:
    if verb == "protect":
        job, point = service.protect(words[0])
        return {"job": job.id, "state": job.state, "error": job.error, "restore_point": point.id}
    if verb == "recover":
        mapping = json.loads(words[1]) if len(words) > 1 else {}
        job, recovery = service.recover(words[0], **mapping)
        return {"job": job.id, "state": job.state, "error": job.error, "recovery": recovery.id}
    if verb == "undo":
        job, recovery = service.undo(words[0])
        return {"job": job.id, "state": job.state, "error": job.error, "recovery": recovery.id}
    settled = [service.rest(job.id) for job in service.jobs.list()]
    return [{"job": j.id, "kind": j.kind, "state": j.state, "error": j.error} for j in settled]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("verb", choices=("protect", "recover", "undo", "rest"))
    arguments.add_argument("words", nargs="*")
    arguments.add_argument("--die-at", type=int)
    told = arguments.parse_args()
    watch(told.folder, told.die_at)
    service = Service(told.folder)
    service.open()
    print(json.dumps(work(service, told.verb, told.words)))
    service.close()


if __name__ == "__main__":
    main()
