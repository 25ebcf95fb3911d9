"""What durability costs per step: the engine against bare commits on the same database, in one run.

The floor is what no engine can do without: one commit that says a step begins, one that says it is done.
Steps do nothing and come one after the other.  Needs no lab.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.report import ratio
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Step
from multisite.store.database import Database
from multisite_lab import postgres

STEPS = 100
ROUNDS = 5
GOAL = 20.0


def build(_params: Mapping[str, Any]) -> list[Step]:
    return [
        Step(f"s{n}", "does nothing", lambda _: None, needs=(f"s{n - 1}",) if n else ()) for n in range(STEPS)
    ]


def product(engine: JobEngine) -> float:
    """Milliseconds per step, from the first step's begin to the last one's end."""
    job = engine.wait(engine.start("idle", {}, title="idle", project_id=None, requested_by="bench"), 120)
    if job.state != JobState.DONE or job.started_at is None or job.ended_at is None:
        raise RuntimeError(f"the job is {job.state}: {job.error}")
    return (job.ended_at - job.started_at).total_seconds() * 1000 / STEPS


def floor(database: Database) -> float:
    """Milliseconds for two bare commits."""
    begun = time.perf_counter()
    for number in range(STEPS):
        with database.session() as session:
            session.execute(text("INSERT INTO floor VALUES (:n, 0)"), {"n": number})
        with database.session() as session:
            session.execute(text("UPDATE floor SET state = 1 WHERE number = :n"), {"n": number})
    with database.session() as session:
        session.execute(text("DELETE FROM floor"))
    return (time.perf_counter() - begun) * 1000 / STEPS


def measure(name: str, url: str) -> float:
    database = Database(url)
    database.upgrade()
    with database.session() as session:
        session.execute(text("CREATE TABLE floor (number INTEGER PRIMARY KEY, state INTEGER)"))
    engine = JobEngine(database)
    engine.register(JobKind("idle", build, "pause"))
    engine.launch()
    try:
        floors, products = [], []
        for number in range(ROUNDS + 1):
            bare, mine = floor(database), product(engine)
            if number:  # the first one warms up
                floors.append(bare)
                products.append(mine)
    finally:
        engine.shutdown()
        database.close()
    mine, bare = statistics.median(products), statistics.median(floors)
    print(
        f"{name}: engine {mine:.2f} ms per step (rounds {min(products):.2f} to {max(products):.2f}), "
        f"two bare commits {bare:.2f} ms, {mine / bare:.1f} times the floor; {STEPS} steps, {ROUNDS} rounds in turn"
    )
    return mine


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        embedded = measure("SQLite", f"sqlite:///{Path(folder)}/multisite.db")
    with postgres.running() as server:
        shared = measure("PostgreSQL", server.url)
    return ratio("engine_overhead", max(embedded, shared), "<=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
