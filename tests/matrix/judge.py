"""Trying one point: die there, live again, and compare what came of it with the undisturbed run."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.points import Point, read_points
from tests.matrix.process import NOTES
from tests.matrix.processes import KILLED, Ended, Processes
from tests.matrix.scenarios import NAMED, Scenario
from tests.matrix.stage import Facts, Place, Stage
from tests.sim.outcome import compare
from tests.sim.service import Service

EQUAL, REPEATED, FAILED = "equal", "undone and repeated", "FAILED"
WORST = (EQUAL, REPEATED, FAILED)
OF_ATTEMPTS = ("jobs", "restore points")
"""What tells of a run that was undone, and may."""
LINE = 400
_schema = threading.Lock()


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: what there was before it and after."""

    before: Facts
    after: Facts
    points: list[Point]
    seconds: float


@dataclass(frozen=True)
class Verdict:
    point: Point
    outcome: str
    seconds: float
    failures: list[str] = field(default_factory=list)


@contextmanager
def looking(folder: Path) -> Iterator[Service]:
    """The service's own view of its folder, while no process has it open; it carries out nothing."""
    with _schema:  # alembic's context is one for the whole process
        service = Service(folder)
    try:
        yield service
    finally:
        service.close()


def record(stage: Stage, processes: Processes, scenario: Scenario) -> Reference:
    """Carry out a scenario undisturbed, noting the points it passes; its end is kept."""
    with stage.at(scenario.base, processes) as place:
        if scenario.lost:
            place.lose_source()
        before = _facts(place)
        begun = time.monotonic()
        ended = processes.run(place.folder, scenario.verb, stage.words, record=True)
        seconds = time.monotonic() - begun
        wrong = _misses(ended, (scenario.state,)) or _problems(place)
        if wrong:
            raise RuntimeError(f"{scenario.name} fails undisturbed: {'; '.join(wrong)}")
        points = read_points(scenario.name, place.folder / NOTES)
        place.keep(scenario.name)
        return Reference(before, _facts(place), points, seconds)


def attempt(stage: Stage, processes: Processes, point: Point, reference: Reference) -> Verdict:
    """Die at the point and see what becomes of it.  Never raises: what goes wrong here is a failure too."""
    begun = time.monotonic()
    try:
        with stage.at(NAMED[point.scenario].base, processes) as place:
            outcome, failures = _attempt(stage, place, processes, point, reference)
    except Exception as error:  # whoever reads the table has to learn of it
        outcome, failures = FAILED, [f"{type(error).__name__}: {error}"[:LINE]]
    return Verdict(point, FAILED if failures else outcome, time.monotonic() - begun, failures)


def _attempt(
    stage: Stage, place: Place, processes: Processes, point: Point, reference: Reference
) -> tuple[str, list[str]]:
    scenario = NAMED[point.scenario]
    if scenario.lost:
        place.lose_source()
    died = processes.run(place.folder, scenario.verb, stage.words, point.key)
    if died.code != KILLED:
        return FAILED, [f"it did not die there: {died.words()}"]
    rested = processes.run(place.folder, "rest", stage.words)
    allowed = (scenario.state, "undone") if scenario.may_undo else (scenario.state,)
    failures = _misses(rested, allowed) + _problems(place)
    if failures or rested.told["state"] == scenario.state:
        return EQUAL, failures + _differs(reference.after, _facts(place))
    failures = [f"undone, but {line}" for line in _differs(reference.before, _facts(place), OF_ATTEMPTS)]
    again = processes.run(place.folder, scenario.verb, stage.words)
    failures += _misses(again, (scenario.state,)) + _problems(place)
    return REPEATED, failures + _differs(reference.after, _facts(place), OF_ATTEMPTS)


def _misses(ended: Ended, states: Collection[str]) -> list[str]:
    """Why a process did not end well."""
    if ended.code != 0:
        return [f"it does not come to rest: {ended.words()}"]
    if ended.told is None or ended.told["state"] not in states:
        return [f"the job is not {' or '.join(states)}: {ended.told}"[:LINE]]
    return []


def _facts(place: Place) -> Facts:
    with looking(place.folder) as service:
        return place.facts(service)


def _problems(place: Place) -> list[str]:
    with looking(place.folder) as service:
        running = [p.id for p in service.points() if p.state == "running"]
        told = [f"restore point {id} is still called running" for id in running]
        return [line[:LINE] for line in [*place.problems(service), *told]]


def _differs(wanted: Facts, found: Facts, without: Collection[str] = ()) -> list[str]:
    def kept(facts: Facts) -> Facts:
        return {key: value for key, value in facts.items() if key not in without}

    return [line[:LINE] for line in compare(kept(wanted), kept(found))]
