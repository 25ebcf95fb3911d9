"""One case, from its beginning to the verdict."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from multisite.domain.errors import MultisiteError
from multisite.domain.model import RestorePoint
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from tests.matrix.faults.cases import Case
from tests.matrix.faults.setup import APPLICATION, Setup
from tests.sim.service import Service

LETTERS = {
    "d": "done, the fault made no difference",
    "u": "undone, leaving nothing; repeated, done",
    "p": "paused, saying why; resumed, done",
    "r": "refused before anything began, saying why; repeated, done",
    "o": "undo stopped, saying why; repeated, undone",
    "s": "done, but snapshots could not be deleted, saying so; the next run deleted them",
    "-": "not struck: the call was not repeated as often this time",
    "F": "FAILED",
}
AGAIN = "the next run tries again"
LATE = "no answer in time"
"""`clouds.call` of an answer that took longer than the limit."""
_THINGS = re.compile(
    r"server|volume|snapshot|backup|record|network|subnet|router|port|group|flavor|key pair|service|site|console"
    r"|log in|quota|zone",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Result:
    """``failed``: everything that is wrong; ``story``: what happened, in order."""

    case: Case
    letter: str
    failed: tuple[str, ...] = ()
    story: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass
class _Course:
    """How a case goes: its letter, what was wrong, what was said."""

    setup: Setup
    service: Service
    letter: str = "d"
    failed: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def stopped(self, letter: str, error: str | None) -> None:
        """It stopped for the fault.  An operator must be told of what, and where."""
        self.letter = letter
        self.story.append(f"{letter}: {error}")
        if not error or not _THINGS.search(error) or ":" not in error:
            self.failed.append(f"it stopped with an error that names nothing: {error!r}")
        self.setup.reconnect()

    def expect(self, job: Job, state: JobState, what: str) -> None:
        self.story.append(f"{what}: {job.state}")
        if job.state != state:
            self.failed.append(f"{what}: {job.state}, not {state}: {said(job)}")


def run(setup: Setup, case: Case) -> Result:
    """Try one case; whatever goes wrong is in the result.

    A second time when a site gave no answer in time that was not told to be slow: the machine was, not the case.
    """
    first = _tried(setup, case)
    if not starved(first):
        return first
    again = _tried(setup, case)
    return replace(again, story=(f"tried twice, at first: {'; '.join(first.failed)}", *again.story))


def starved(result: Result) -> bool:
    return result.case.fault != "slow" and any(LATE in line for line in result.failed)


def _tried(setup: Setup, case: Case) -> Result:
    begun = time.monotonic()
    course = _Course(setup, setup.begin(case.call.phase))
    met, struck = 0, 0
    try:
        setup.strike(case)
        _PHASES[case.call.phase](course)
        met, struck = setup.struck()
        setup.reconnect()
        setup.rest()
        course.failed += setup.problems()
    except Exception as error:  # a verdict like any other: the other cases go on
        course.failed.append(f"{type(error).__name__}: {error}")
        course.story += traceback.format_exc().splitlines()[-12:]
    if not struck and not course.failed:
        if met or case.nth > 1:
            course.letter = "-"
        else:
            course.failed.append("the fault did not strike: the call was not made")
    letter = "F" if course.failed else course.letter
    seconds = time.monotonic() - begun
    return Result(case, letter, tuple(course.failed), tuple(course.story), seconds)


def said(job: Job) -> str:
    """Everything a job tells of its trouble."""
    steps = [f"{step.name}: {step.error}" for step in job.steps if step.error]
    return "; ".join(dict.fromkeys(filter(None, [job.error, *steps])))


def _protect(course: _Course, phase: str) -> None:
    service, setup = course.service, course.setup
    full = False if phase == "full" else None
    point: RestorePoint | None = None
    try:
        job, point = service.protect(APPLICATION, full)
    except MultisiteError as error:
        course.stopped("r", str(error))
    else:
        if job.state == JobState.UNDONE:
            course.stopped("u", job.error)
        elif job.state == JobState.UNDO_FAILED:
            course.stopped("o", said(job))
            service.jobs.undo(job.id, "tester")
            course.expect(service.rest(job.id), JobState.UNDONE, "undo again")
        else:
            course.expect(job, JobState.DONE, "protect")
            if told := [entry.message for entry in job.journal if AGAIN in entry.message]:
                course.stopped("s", "; ".join(told))
    setup.reconnect()
    if course.letter != "d":
        job, point = service.protect(APPLICATION, full)
        course.expect(job, JobState.DONE, "protect again")
    setup.rest()
    if point is not None and job.state == JobState.DONE:
        course.failed += setup.protected(service.manifests.read(point.id))


def _recover(course: _Course) -> None:
    service, setup = course.service, course.setup
    try:
        job, recovery = service.recover(setup.point())
    except MultisiteError as error:
        course.stopped("r", str(error))
        job, recovery = service.recover(setup.point())
    if job.state == JobState.PAUSED:
        course.stopped("p", job.error)
        job, recovery = service.resume(recovery.id)
    course.expect(job, JobState.DONE, "recover")
    setup.reconnect()
    setup.rest()
    if job.state == JobState.DONE:
        course.failed += setup.recovered(service.manifests.read(setup.point()))
    job, _ = service.undo(recovery.id)
    course.expect(job, JobState.UNDONE, "undo")
    setup.rest()
    course.failed += setup.undone()


def _undo(course: _Course) -> None:
    service, setup = course.service, course.setup
    job, _ = service.undo(setup.recovery())
    if job.state == JobState.UNDO_FAILED:
        course.stopped("o", said(job))
        job, _ = service.undo(setup.recovery())
    course.expect(job, JobState.UNDONE, "undo")
    setup.reconnect()
    setup.rest()
    course.failed += setup.undone()


_PHASES: dict[str, Callable[[_Course], None]] = {
    "full": partial(_protect, phase="full"),
    "incremental": partial(_protect, phase="incremental"),
    "recover": _recover,
    "undo": _undo,
}
