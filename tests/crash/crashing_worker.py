"""One life of a process with a job that kills it; started by test_crashing_job.py.

    python crashing_worker.py DIRECTORY [resume | stop | beside]

The job's first step is harmless, its second kills the process with SIGKILL while the file ``crashing`` is there.
Prints the job as JSON when it comes to rest.  ``resume``: resumes it first; ``stop``: stops in order while the step
runs; ``beside``: with a harmless neighbor, whose only step has begun each of the first two times the process is
killed; both are printed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, Step, StepContext
from multisite.jobs.values import plain
from multisite.store.database import Database

PATIENCE = 60


def main(directory: Path, order: str) -> int:
    def crashing(ctx: StepContext) -> None:
        (directory / f"attempt-{ctx.attempt}").touch()
        while order == "stop":
            ctx.progress(0)
            time.sleep(0.01)
        while order == "beside" and ctx.attempt <= 2 and not (directory / f"beside-{ctx.attempt}").exists():
            time.sleep(0.01)
        if (directory / "crashing").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    def beside(ctx: StepContext) -> None:
        (directory / f"beside-{ctx.attempt}").touch()
        time.sleep(1)

    steps = [
        Step("a", "harmless", lambda _ctx: None),
        Step("b", "crashing", crashing, lambda _ctx, _result: None, needs=("a",)),
    ]
    database = Database(f"sqlite:///{directory}/multisite.db")
    database.upgrade()
    engine = JobEngine(database)
    plans = {"crashing": steps, "beside": [Step("c", "harmless", beside)]}
    for kind, plan in plans.items():
        engine.register(JobKind(kind, lambda _params, plan=plan: plan, on_failure="pause"))  # type: ignore[misc]
    engine.launch()
    jobs = {job.kind: job.id for job in engine.list()}
    for kind in ("crashing", "beside") if order == "beside" else ("crashing",):
        jobs[kind] = jobs.get(kind) or engine.start(kind, {}, title=kind, project_id="p", requested_by="test")
    job_id = jobs["crashing"]
    if order == "resume":
        engine.resume(job_id, "test")
    if order == "stop":
        before = len(list(directory.glob("attempt-*")))
        while len(list(directory.glob("attempt-*"))) == before:
            time.sleep(0.01)
        engine.shutdown()
        return 0
    job = engine.wait(job_id, PATIENCE)
    found = [job, engine.wait(jobs["beside"], PATIENCE)] if order == "beside" else job
    print(json.dumps(plain(found, "job")))
    engine.shutdown()
    return 0 if job.settled else 3


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
