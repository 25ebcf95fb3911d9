"""A launched engine per test module, and jobs made of whatever functions a test writes."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from multisite.jobs.engine import JobEngine
from multisite.jobs.model import Ended, JobKind, JobState, Step, StepContext
from multisite.jobs.view import Job
from multisite.store.database import Database

Policy = Literal["undo", "pause"]
Until = Callable[[Callable[[], bool]], None]
"""What the fixture ``until`` gives."""


class JobSetup:
    """Runs jobs whose steps are given as objects; notes what ran, in order."""

    def __init__(self, path: Path) -> None:
        self.database = Database(f"sqlite:///{path}/multisite.db")
        self.database.upgrade()
        self.plans: dict[str, list[Step]] = {}
        self.told: list[tuple[str, JobState, Mapping[str, Any]]] = []
        self.tell: Callable[[str, JobState], None] = lambda job_id, state: None
        self.log: list[str] = []
        self.engine = self.new_engine()

    def new_engine(self) -> JobEngine:
        engine = JobEngine(self.database)
        for policy in ("undo", "pause"):
            engine.register(
                JobKind(policy, self._build, policy, limits={"two": 2, "sites": 3}, finished=self._finished)  # type: ignore[arg-type]
            )
        return engine

    def start(self, steps: list[Step], policy: Policy = "undo", **more: Any) -> str:
        plan = uuid.uuid4().hex
        self.plans[plan] = steps
        more = {"title": "a test", "project_id": "p1", "requested_by": "tester", **more}
        return self.engine.start(policy, {"plan": plan}, **more)

    def run(self, steps: list[Step], policy: Policy = "undo", **more: Any) -> Job:
        return self.wait(self.start(steps, policy, **more))

    def wait(self, job_id: str) -> Job:
        job = self.engine.wait(job_id, 30)
        assert job.settled, f"job is still {job.state}: {[(s.name, s.state) for s in job.steps]}"
        return job

    def step(self, name: str, *needs: str, **more: Any) -> Step:
        """A step that logs ``name`` when run and ``-name`` when undone."""
        run = more.pop("run", None)

        def logged(ctx: StepContext) -> Any:
            self.log.append(name)
            return run(ctx) if run else {"made": name}

        def undone(ctx: StepContext, result: Any) -> None:
            self.log.append(f"-{name}")

        more.setdefault("undo", undone)
        return Step(name, f"make {name}", logged, needs=needs, **more)

    def _build(self, params: Mapping[str, Any]) -> list[Step]:
        return self.plans[params["plan"]]

    def _finished(self, job: Ended) -> None:
        self.tell(job.id, job.state)
        self.told.append((job.id, job.state, job.params))


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobSetup]:
    setup = JobSetup(tmp_path_factory.mktemp("jobs"))
    setup.engine.launch()
    yield setup
    setup.engine.shutdown()


@pytest.fixture
def setup(launched: JobSetup) -> JobSetup:
    launched.log, launched.told = [], []
    launched.tell = lambda job_id, state: None
    return launched


@pytest.fixture
def until() -> Until:
    def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return wait


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Steps wait for it; opened at the end so that a failing test leaves no thread behind."""
    event = threading.Event()
    yield event
    event.set()
