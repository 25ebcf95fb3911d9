"""The jobs of ``data/old_database.sql`` and ``data/old_shared_database.sql`` have to go on under this tree's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Step, StepContext

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Network:
    id: str
    mtu: int = 1500


def check_they_go_on(engine: JobEngine, seconds: float = 30) -> None:
    """Launches the engine: done steps are not run again, the begun one is told that it was interrupted."""
    titles = {job.id: job.title for job in engine.list()}
    by_title = {title: id for id, title in titles.items()}
    ran: list[tuple[str, str, int, bool]] = []

    def steps(params: Mapping[str, Any]) -> list[Step]:
        def run(ctx: StepContext) -> Network:
            if ctx.step == "b":
                assert ctx.result_of("a", Network) == Network("n1")
            ran.append((titles[ctx.job_id], ctx.step, ctx.attempt, ctx.interrupted))
            return Network("n1")

        return [Step("a", "Make a", run), Step("b", "Make b", run, needs=("a",))]

    engine.register(JobKind("old", steps, "pause"))
    engine.launch()
    try:
        assert engine.wait(by_title["running"], seconds).state is JobState.DONE
        assert engine.wait(by_title["queued"], seconds).state is JobState.DONE
        assert engine.get(by_title["paused"]).state is JobState.PAUSED
        engine.resume(by_title["paused"], "bob")
        assert engine.wait(by_title["paused"], seconds).state is JobState.DONE
    finally:
        engine.shutdown()
    assert sorted(ran) == [
        ("paused", "b", 2, False),
        ("queued", "a", 1, False),
        ("queued", "b", 1, False),
        ("running", "b", 2, True),
    ]
