"""Runs a small job and kills its own process at one point after the other; started by test_crash.py.

    python crash_worker.py DIRECTORY

For each scenario a first life without a crash lists the points; then, for each point: a life that ends there
by SIGKILL, and lives after it until the job is at rest.  Every life is a process of its own (a fork: imports
take longer than the lives).  Writes one JSON line per point with what an outside observer saw.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alembic.command
import alembic.migration  # noqa: F401

from multisite.jobs.engine import JobEngine
from multisite.jobs.model import Ended, JobKind, JobState, Step, StepContext, StepFailed
from multisite.jobs.records import Records
from multisite.jobs.values import plain
from multisite.store.database import Database

NEEDS = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
FROM = {"done": "create", "undone": "end-d-failed", "resumed": "conclude"}
SLOTS = {"done": 2, "undone": 2, "resumed": 1}
PATIENCE = 120  # seconds; a machine that does other work too is slow, not wrong
COMMITS = ("create", "resume", "claim", "begin", "begin_undo", "end", "conclude", "conclude_undo", "settle")


class World:
    """Outside of the process: a log of what was really done, and the one point where to die."""

    def __init__(self, directory: Path, die_at: str) -> None:
        self.directory = directory
        self.die_at = die_at

    def note(self, *words: Any) -> None:
        with (self.directory / "log").open("a") as log:
            log.write(json.dumps(words) + "\n")

    def point(self, name: str) -> None:
        if self.die_at == "nowhere":
            with (self.directory / "points").open("a") as points:
                points.write(name + "\n")
        if self.die_at == name and not (self.directory / "died").exists():
            (self.directory / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def log(self) -> list[list[Any]]:
        path = self.directory / "log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _kind(world: World, scenario: str) -> JobKind:
    def step(name: str) -> Step:
        def run(ctx: StepContext) -> Any:
            world.note("run", name, ctx.attempt, ctx.interrupted)
            world.point(f"effect-{name}")
            if name == "d" and (scenario == "undone" or (scenario == "resumed" and ctx.attempt == 1)):
                raise StepFailed("d cannot be made")
            return {"made": name}

        def undo(ctx: StepContext, result: Any) -> None:
            world.note("undo", name, ctx.attempt, ctx.interrupted, result)
            world.point(f"undone-{name}")

        return Step(name, f"make {name}", run, undo, needs=NEEDS[name])

    def finished(job: Ended) -> None:
        world.note("told", job.state)
        world.point(f"told-{job.state}")

    policy = "undo" if scenario == "undone" else "pause"
    return JobKind("crash", lambda params: [step(name) for name in NEEDS], policy, finished=finished)


def _die_after_commits(world: World) -> None:
    def wrap(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Records, *args: Any, **kwargs: Any) -> Any:
            answer = method(self, *args, **kwargs)
            step = f"-{args[1]}" if name in ("begin", "begin_undo", "end") else ""
            state = f"-{args[2]}" if name == "end" else ""
            world.point(f"{name}{step}{state}")
            return answer

        return call

    for name in COMMITS:
        setattr(Records, name, wrap(name, getattr(Records, name)))


def live(directory: Path, scenario: str, die_at: str) -> None:
    """One process, from its start until the job is at rest (or until it dies)."""
    world = World(directory, die_at)
    _die_after_commits(world)
    database = Database(f"sqlite:///{directory}/multisite.db")
    database.upgrade()
    engine = JobEngine(database)
    engine.register(_kind(world, scenario))
    engine.launch()
    jobs = engine.list()
    if not jobs:
        engine.start("crash", {}, title="crash", project_id="p", requested_by="test")
        jobs = engine.list()
    job = engine.wait(jobs[0].id, PATIENCE)
    if scenario == "resumed" and job.state == JobState.PAUSED:
        engine.resume(job.id, "test")
        job = engine.wait(job.id, PATIENCE)
    (directory / "job.json").write_text(json.dumps(plain(job, "job")))
    os._exit(0 if job.settled else 3)


def fork(directory: Path, scenario: str, die_at: str) -> int:
    """A life in a process of its own; how it ended (a signal is negative)."""
    child = os.fork()
    if child == 0:
        try:
            live(directory, scenario, die_at)
        except BaseException:
            traceback.print_exc()
        os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_flight(directory: Path) -> list[str]:
    """Steps whose end nobody knows, read from the database as the crash left it."""
    connection = sqlite3.connect(directory / "multisite.db")
    rows = connection.execute("SELECT name FROM step WHERE state IN ('running', 'undoing')").fetchall()
    connection.close()
    return [row[0] for row in rows]


def explore(directory: Path, scenario: str, slot: int, slots: int) -> None:
    """Every point of this slot, one after the other; what was seen goes to ``seen.jsonl``."""
    dry = directory / "dry"
    dry.mkdir(parents=True)
    assert fork(dry, scenario, "nowhere") == 0
    points = list(dict.fromkeys((dry / "points").read_text().split()))
    points = points[points.index(FROM[scenario]) :]  # what comes before is covered by another scenario
    for point in points[slot::slots]:
        world = directory / point
        world.mkdir()
        ends = [fork(world, scenario, point)]
        lost = in_flight(world)
        while ends[-1] != 0 and len(ends) < 3:
            ends.append(fork(world, scenario, point))
        job = json.loads((world / "job.json").read_text()) if (world / "job.json").exists() else None
        seen = {"point": point, "points": len(points), "ends": ends, "in_flight": lost, "job": job}
        with (directory / "seen.jsonl").open("a") as file:
            file.write(json.dumps({**seen, "log": World(world, "").log()}) + "\n")


def main(directory: Path) -> int:
    """Slots of scenarios at the same time: lives mostly wait for DBOS to look for what it has to recover."""
    children = []
    for scenario, slots in SLOTS.items():
        for slot in range(slots):
            child = os.fork()
            if child == 0:
                explore(directory / f"{scenario}-{slot}", scenario, slot, slots)
                os._exit(0)
            children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
