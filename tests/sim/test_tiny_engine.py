"""The small engine keeps the real one's contract where jobs grow: each step once, all undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from multisite.domain import fence
from multisite.jobs.model import JobKind, JobState, Json, Step, StepContext
from multisite.store.database import Database
from tests.sim.tiny_engine import TinyEngine


def growing(said: list[str]) -> JobKind:
    """One step finds out how many more there are."""

    def run(name: str) -> Callable[[StepContext], int]:
        def act(_ctx: StepContext) -> int:
            fence.check()  # as before a request: it may die here
            said.append(name)
            return 2

        return act

    def build(params: Mapping[str, Json]) -> list[Step]:
        names = ["count", *(f"more-{n}" for n in range(int(params.get("more", 0))))]
        return [
            Step(name, name, run(name), lambda _ctx, _made, name=name: said.append(f"no {name}"))
            for name in names
        ]

    def grow(params: Mapping[str, Json], result: Callable[[str], Json]) -> Mapping[str, Json] | None:
        return None if "more" in params else {**params, "more": result("count")}

    return JobKind("growing", build, on_failure="pause", grow=grow)


@pytest.mark.parametrize("die_at", [None, 0, 1, 2, 3, 4, 5, 6])
def test_a_job_grows_once_and_is_undone_whole(tmp_path: Path, die_at: int | None) -> None:
    database, said = Database(f"sqlite:///{tmp_path / 'tiny.sqlite'}"), list[str]()
    database.upgrade()
    engine = TinyEngine(database)
    engine.register(growing(said))
    id = engine.start("growing", {}, title="t", requested_by="me", project_id="p")
    engine.rest(id, die_at)
    job = engine.rest(id) if engine.died else engine.get(id)
    assert (job.state, job.params) == (JobState.DONE, {"more": 2}), job.error
    assert said == ["count", "more-0", "more-1"]
    engine.undo(id, "me")
    assert engine.rest(id).state is JobState.UNDONE
    assert said[3:] == ["no more-1", "no more-0", "no count"]
    database.close()
