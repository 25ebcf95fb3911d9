"""An undo ends with a look for what the job has left: nothing is called undone that is still there, or unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.errors import Unreachable
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Step, StepContext, StepState
from multisite.jobs.view import Job
from multisite.store.database import Database


class Jobs:
    """One kind of job: "a" at site1, then "b" at site2, which fails; ``left`` is what its sites still have."""

    def __init__(self, path: Path) -> None:
        self.left: list[tuple[str, str]] = []
        self.unknown: Exception | None = None
        self.asked: list[Mapping[str, str]] = []
        self.undone: list[str] = []
        self.database = Database(f"sqlite:///{path}/multisite.db")
        self.database.upgrade()
        self.engine = JobEngine(self.database)
        self.engine.register(JobKind("k", self._build, "undo", left=self._left))
        self.engine.launch()

    def run(self) -> Job:
        job_id = self.engine.start("k", {}, title="t", project_id="p", requested_by="u")
        return self.engine.wait(job_id, 30)

    def undo(self, job: Job) -> Job:
        self.engine.undo(job.id, "u")
        return self.engine.wait(job.id, 30)

    def _build(self, _params: Mapping[str, Any]) -> list[Step]:
        def fails(_ctx: StepContext) -> Any:
            raise ValueError("no")

        def undo(ctx: StepContext, _result: Any) -> None:
            self.undone.append(ctx.step)

        return [
            Step("a", "make a", lambda _: {}, undo, site="site1"),
            Step("b", "make b", fails, undo, ("a",), site="site2"),
            Step("c", "make c", lambda _: {}, undo, ("b",), site="site3"),
        ]

    def _left(self, _job: str, project: str, begun: Mapping[str, str]) -> list[tuple[str, str]]:
        assert project == "p"
        self.asked.append(begun)
        if self.unknown is not None:
            raise self.unknown
        return self.left


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    yield made
    made.engine.shutdown()


def test_nothing_left_is_undone(jobs: Jobs) -> None:
    job = jobs.run()
    assert job.state is JobState.UNDONE
    assert jobs.asked == [{"a": "site1", "b": "site2"}], "nothing was begun at site3, which need not answer"


def test_what_is_left_is_named_and_its_step_undone_again(jobs: Jobs) -> None:
    jobs.left = [("a", "site site1 still has volume a (v1)"), ("", "site site1 still has server group g")]
    job = jobs.run()
    assert job.state is JobState.UNDO_FAILED
    assert "volume a (v1)" in (job.error or "")
    assert "server group g" in (job.error or "")
    assert job.step("a").state is StepState.UNDO_FAILED
    jobs.left, jobs.undone = [], []
    assert jobs.undo(job).state is JobState.UNDONE
    assert jobs.undone == ["a"]


def test_a_site_that_does_not_answer_is_not_undone(jobs: Jobs) -> None:
    jobs.unknown = Unreachable("site1", "list volumes", "no route to it")
    job = jobs.run()
    assert job.state is JobState.UNDO_FAILED
    assert "cannot be told" in (job.error or "")
    assert "no route to it" in (job.error or "")
    jobs.unknown = None
    assert jobs.undo(job).state is JobState.UNDONE
