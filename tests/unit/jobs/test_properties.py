"""Whatever the graph, whatever fails and whatever the operator does: the promises hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.conftest import JobSetup
from multisite.jobs.model import JobState, Step, StepContext, StepFailed, StepState
from multisite.jobs.view import AT_REST, Job


@dataclass(frozen=True)
class Plan:
    needs: tuple[tuple[int, ...], ...]
    fails: tuple[int, ...]
    """How many times each step's run fails before it succeeds."""
    undo_fails: tuple[int, ...]
    limits: tuple[str | None, ...]
    policy: str
    wishes: tuple[str, ...]
    """What the operator does whenever the job is at rest."""


@st.composite
def plans(draw: Callable[[Any], Any]) -> Plan:
    count = draw(st.integers(1, 6))
    needs = tuple(
        tuple(sorted(draw(st.sets(st.integers(0, i - 1), max_size=3)))) if i else () for i in range(count)
    )
    times = st.sampled_from([0, 0, 0, 1, 2])
    return Plan(
        needs,
        tuple(draw(st.tuples(*[times] * count))),
        tuple(draw(st.tuples(*[times] * count))),
        tuple(draw(st.tuples(*[st.sampled_from([None, "one", "two"])] * count))),
        draw(st.sampled_from(["undo", "pause"])),
        tuple(draw(st.lists(st.sampled_from(["resume", "undo"]), max_size=5))),
    )


@dataclass
class World:
    """What the steps really did, apart from anything the engine says."""

    plan: Plan
    events: list[tuple[str, int]] = field(default_factory=list)
    made: set[int] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def steps(self) -> list[Step]:
        fails, undo_fails = list(self.plan.fails), list(self.plan.undo_fails)

        def step(i: int) -> Step:
            def run(ctx: StepContext) -> Any:
                self.events.append(("run", i))
                self.expect(("done", i) not in self.events, f"{i} ran again after it was done")
                for need in self.plan.needs[i]:
                    self.expect(("done", need) in self.events, f"{i} ran before {need} was done")
                    self.expect(
                        ctx.result_of(f"s{need}", dict) == {"i": need}, f"{i} got a wrong result of {need}"
                    )
                self.made.add(i)
                if fails[i]:
                    fails[i] -= 1
                    raise StepFailed(f"{i} failed")
                self.events.append(("done", i))
                return {"i": i}

            def undo(ctx: StepContext, result: Any) -> None:
                self.events.append(("undo", i))
                wanted = {"i": i} if ("done", i) in self.events else None
                self.expect(result == wanted, f"undo of {i} got {result}")
                for other, needs in enumerate(self.plan.needs):
                    self.expect(i not in needs or other not in self.made, f"{i} undone before {other}")
                if undo_fails[i]:
                    undo_fails[i] -= 1
                    raise StepFailed(f"undo of {i} failed")
                self.made.discard(i)

            names = tuple(f"s{need}" for need in self.plan.needs[i])
            return Step(f"s{i}", f"step {i}", run, undo, needs=names, limit=self.plan.limits[i])

        return [step(i) for i in range(len(self.plan.needs))]

    def expect(self, true: bool, words: str) -> None:
        if not true:
            self.broken.append(words)


def _check(world: World, job: Job) -> None:
    assert world.broken == []
    assert job.state in AT_REST
    states = [step.state for step in job.steps]
    assert not {StepState.RUNNING, StepState.UNDOING, StepState.WAITING} & set(states)
    started = {i for kind, i in world.events if kind == "run"}
    if job.state == JobState.DONE:
        assert set(states) <= {StepState.DONE}
    if job.state == JobState.UNDONE:
        assert world.made == set()
        assert all(states[i] == StepState.UNDONE for i in started)
    if job.state == JobState.UNDO_FAILED:
        assert world.made
        assert job.error
    if job.state == JobState.PAUSED:
        assert StepState.FAILED in states
        assert job.error
    for i, state in enumerate(states):
        if state == StepState.UNDONE:
            assert i not in world.made
        if state == StepState.DONE:
            assert i in world.made
        if state == StepState.SKIPPED:
            assert i not in world.made or job.state == JobState.PAUSED


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # DBOS's threads do
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans())
def test_the_promises_hold(setup: JobSetup, plan: Plan) -> None:
    setup.told = []
    world = World(plan)
    job = setup.run(world.steps(), plan.policy)  # type: ignore[arg-type]
    _check(world, job)
    settled = 1
    for wish in plan.wishes:
        if wish == "resume" and job.state == JobState.PAUSED:
            setup.engine.resume(job.id, "op")
        elif wish == "undo" and job.state != JobState.UNDONE:
            setup.engine.undo(job.id, "op")
        else:
            continue
        job = setup.wait(job.id)
        settled += 1
        _check(world, job)
    told = [state for job_id, state, _ in setup.told if job_id == job.id]
    assert len(told) == settled
    assert told[-1] == job.state
    assert Counter(world.events)[("done", 0)] <= 1
