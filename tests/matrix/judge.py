"""Trying one point: die there, live again, and compare what came of it with the undisturbed run."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
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
SOONER = 0.7
"""What is left of the share of time when a run has ended before its moment came."""
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
        _set(place, scenario)
        before = _facts(place)
        begun = time.monotonic()
        ended = processes.run(place.folder, scenario.verb, stage.words, record=True, commits=scenario.jobless)
        seconds = time.monotonic() - begun
        wrong = _ends_badly(ended, scenario) or _problems(place)
        if wrong:
            raise RuntimeError(f"{scenario.name} fails undisturbed: {'; '.join(wrong)}")
        noted = read_points(scenario.name, place.folder / NOTES)
        points = [p for p in noted if any(fnmatchcase(p.step, pattern) for pattern in scenario.steps)]
        place.keep(scenario.name)
        return Reference(before, _facts(place), points, seconds)


def attempt(
    stage: Stage, processes: Processes, point: Point, reference: Reference, share: float | None = None
) -> Verdict:
    """Die at the point and see what becomes of it.  Never raises: what goes wrong here is a failure too.

    ``share``: die when that share of the undisturbed run's time is over, sooner when the run was quicker.
    """
    begun = time.monotonic()
    try:
        outcome, failures = None, [""]
        while outcome is None:
            with stage.at(NAMED[point.scenario].base, processes) as place:
                outcome, failures = _attempt(stage, place, processes, point, reference, share)
            share = None if share is None else share * SOONER
    except Exception as error:  # whoever reads the table has to learn of it
        outcome, failures = FAILED, [f"{type(error).__name__}: {error}"[:LINE]]
    return Verdict(point, FAILED if failures else outcome, time.monotonic() - begun, failures)


def _set(place: Place, scenario: Scenario) -> None:
    if scenario.lost:
        place.lose_source()
    if scenario.returned:
        place.return_source()


def _attempt(
    stage: Stage, place: Place, processes: Processes, point: Point, reference: Reference, share: float | None
) -> tuple[str | None, list[str]]:
    """The outcome and what is wrong; None: it had ended before the moment came."""
    scenario = NAMED[point.scenario]
    _set(place, scenario)
    if share is None:
        died = processes.run(place.folder, scenario.verb, stage.words, point.key, commits=scenario.jobless)
        if died.code != KILLED:
            return FAILED, [f"it did not die there: {died.words()}"]
    else:
        died = processes.run(place.folder, scenario.verb, stage.words, kill_after=share * reference.seconds)
        if died.code == 0:
            return None, []
        if died.code != KILLED:
            return FAILED, [f"it did not come to that moment: {died.words()}"]
    rested = processes.run(place.folder, scenario.resume, stage.words)
    found = _facts(place)
    if rested.code == 0 and (scenario.jobless or share is not None) and not _differs(reference.before, found):
        failures, without = list[str](), tuple[str, ...]()  # nothing had begun: all is as it was before
    elif scenario.jobless:
        return EQUAL, _ended_well(rested) + _problems(place) + _differs(reference.after, found)
    else:
        allowed = (scenario.state, "undone") if scenario.may_undo else (scenario.state,)
        failures, without = _misses(rested, allowed) + _problems(place), OF_ATTEMPTS
        if failures or rested.told["state"] == scenario.state:
            return EQUAL, failures + _differs(reference.after, found)
        failures = [f"undone, but {line}" for line in _differs(reference.before, found, OF_ATTEMPTS)]
    again = processes.run(place.folder, scenario.verb, stage.words)
    failures += _ends_badly(again, scenario) + _problems(place)
    return REPEATED, failures + _differs(reference.after, _facts(place), without)


def _ends_badly(ended: Ended, scenario: Scenario) -> list[str]:
    return _ended_well(ended) if scenario.jobless else _misses(ended, (scenario.state,))


def _ended_well(ended: Ended) -> list[str]:
    return [] if ended.code == 0 else [f"it does not come to rest: {ended.words()}"]


def _misses(ended: Ended, states: Collection[str]) -> list[str]:
    """Why a process did not end well."""
    if ended.code != 0:
        return _ended_well(ended)
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
