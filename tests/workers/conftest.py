"""A PostgreSQL server of the tests' own, two worker processes, and a process (this one) that only accepts jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from workers.node import Journal, kind

from multisite.jobs.engine import JobEngine
from multisite.jobs.executor import Sharing
from multisite.jobs.view import Job
from multisite.store.database import Database
from multisite_lab import postgres

NODE = Path(__file__).with_name("node.py")


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return answer


class Fleet:
    """Two workers, the journal they write, and an engine that accepts jobs for them."""

    def __init__(self, server: postgres.Postgres, folder: Path, *options: str) -> None:
        self.server = server
        self.journal = Journal(folder / "journal", "test")
        self.log = folder / "workers.log"
        self.options = options
        self.database = Database(server.url)
        self.database.upgrade()
        self.engine = JobEngine(self.database, Sharing("api", carry_out=False))
        self.engine.register(kind(self.journal))
        self.engine.launch()
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._lives = 0

    def add(self, *options: str, port: int | None = None) -> str:
        """One more worker, at another port of the database if given; returns when it takes jobs."""
        self._lives += 1
        name = f"w{self._lives}"
        url = self.server.url.replace(f":{self.server.port}/", f":{port or self.server.port}/")
        command = [
            sys.executable,
            str(NODE),
            url,
            str(self.journal.path),
            name,
            *self.options,
            *options,
        ]
        with self.log.open("ab") as log:
            self.nodes[name] = subprocess.Popen(command, stdout=log, stderr=log)
        until(
            lambda: any(e["do"] == "up" and e["by"] == name for e in self.journal.lines()), 60, f"{name} up"
        )
        return name

    def kill(self, name: str) -> None:
        """kill -9."""
        node = self.nodes.pop(name)
        node.kill()
        node.wait()
        self.journal.write("killed", worker=name)

    def freeze(self, name: str) -> None:
        self.nodes[name].send_signal(signal.SIGSTOP)
        self.journal.write("frozen", worker=name)

    def thaw(self, name: str) -> None:
        self.journal.write("thawed", worker=name)
        self.nodes[name].send_signal(signal.SIGCONT)

    def start(self, **params: Any) -> str:
        return self.engine.start("test", params, title="a test", project_id="p", requested_by="tester")

    def wait(self, job_id: str, seconds: float = 120) -> Job:
        job = self.engine.wait(job_id, seconds)
        assert job.settled, f"{job.id} is still {job.state} on {job.worker}: {self.log.read_text()[-3000:]}"
        return job

    def holders(self) -> dict[str, str]:
        """Unsettled jobs by id, and the worker (its name here) that has each."""
        rows = self.server.sql("SELECT id, worker FROM job WHERE NOT settled AND worker IS NOT NULL")
        return {
            job: worker.rpartition("-")[0] for job, _, worker in (r.partition("|") for r in rows.splitlines())
        }

    def claims(self, job_id: str) -> list[dict[str, Any]]:
        return [e for e in self.journal.lines() if e["do"] == "claim" and e["job"] == job_id]

    def close(self) -> None:
        for node in self.nodes.values():
            node.send_signal(signal.SIGCONT)
            node.send_signal(signal.SIGTERM)
        for node in self.nodes.values():
            try:
                node.wait(20)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        self.engine.shutdown()
        self.database.close()


def problems(journal: Journal) -> list[str]:
    """What must never be seen from outside: something made twice, or made by who had lost the job."""
    found, newest, made = [], dict[str, int](), set[tuple[str, str]]()
    for entry in journal.lines():
        if entry["do"] == "claim":
            newest[entry["job"]] = max(newest.get(entry["job"], 0), entry["epoch"])
        if entry["do"] in ("made", "removed"):
            token = (entry["job"], entry["step"])
            if entry["epoch"] < newest.get(entry["job"], 0):
                found.append(f"{entry['by']} acted on {token} under epoch {entry['epoch']}, which was over")
            if (token in made) == (entry["do"] == "made"):
                found.append(f"{token} was {entry['do']} twice")
            (made.add if entry["do"] == "made" else made.discard)(token)
    return found


def most_at_once(journal: Journal) -> dict[str, int]:
    """How many steps held each limit at the same time; what a killed worker held is given back."""
    inside: dict[str, set[tuple[str, str, str]]] = {}
    most: dict[str, int] = {}
    for entry in journal.lines():
        if entry["do"] == "killed":
            for holders in inside.values():
                holders -= {h for h in holders if h[0] == entry["worker"]}
        if entry["do"] in ("enter", "leave") and entry["limit"]:
            holders = inside.setdefault(entry["limit"], set())
            key = (entry["by"], entry["job"], entry["step"])
            (holders.add if entry["do"] == "enter" else holders.discard)(key)
            most[entry["limit"]] = max(most.get(entry["limit"], 0), len(holders))
    return most


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    with postgres.running() as found:
        yield found


@pytest.fixture
def empty(server: postgres.Postgres) -> postgres.Postgres:
    """The server without a table: every test has its own workers and jobs."""
    server.sql("DROP SCHEMA IF EXISTS dbos CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server


@pytest.fixture
def fleet(empty: postgres.Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    made = Fleet(empty, tmp_path, *getattr(request, "param", ()))
    made.add()
    made.add()
    yield made
    made.close()


def pytest_configure() -> None:
    os.environ.setdefault("PYTHONPATH", os.pathsep.join(sys.path))
