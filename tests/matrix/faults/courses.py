"""How a case goes in each phase: what an operator does when it stops, and what has to come of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from multisite.domain.errors import MultisiteError
from multisite.domain.model import RestorePoint
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from tests.matrix.faults.phases import APPLICATION, PHASES, RUNS, Run
from tests.matrix.faults.setup import Setup
from tests.sim.service import Service

AGAIN = "the next run tries again"
_THINGS = re.compile(
    r"server|volume|snapshot|backup|record|network|subnet|router|port|group|flavor|key pair|service|site|console"
    r"|log in|quota|zone",
    re.IGNORECASE,
)


@dataclass
class Course:
    """A case on its way: its letter, what was wrong, what was said."""

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


def said(job: Job) -> str:
    """Everything a job tells of its trouble."""
    steps = [f"{step.name}: {step.error}" for step in job.steps if step.error]
    return "; ".join(dict.fromkeys(filter(None, [job.error, *steps])))


def _protect(course: Course, phase: str) -> None:
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


def _recover(course: Course) -> None:
    service, setup = course.service, course.setup
    try:
        job, recovery = service.recover(setup.known().point)
    except MultisiteError as error:
        course.stopped("r", str(error))
        job, recovery = service.recover(setup.known().point)
    if job.state == JobState.PAUSED:
        course.stopped("p", job.error)
        job, recovery = service.resume(recovery.id)
    course.expect(job, JobState.DONE, "recover")
    setup.reconnect()
    setup.rest()
    if job.state == JobState.DONE:
        course.failed += setup.recovered(service.manifests.read(setup.known().point))
    job, _ = service.undo(recovery.id)
    course.expect(job, JobState.UNDONE, "undo")
    setup.rest()
    course.failed += setup.undone()


def _undo(course: Course) -> None:
    service, setup = course.service, course.setup
    job, _ = service.undo(setup.known().recovery)
    if job.state == JobState.UNDO_FAILED:
        course.stopped("o", said(job))
        job, _ = service.undo(setup.known().recovery)
    course.expect(job, JobState.UNDONE, "undo")
    setup.reconnect()
    setup.rest()
    course.failed += setup.undone()


def _run(course: Course, run: Run) -> None:
    """Any run.  Refused, stopped or undone for the fault it goes on or is repeated; at the end it is undone."""
    service, setup = course.service, course.setup
    job = _carried_out(course, run)
    if job is None:
        job = run.do(service, setup.known())
    course.expect(job, run.state, run.name)
    if run.name == "drill":
        _expect_passed(course)
    setup.reconnect()
    setup.rest()
    if course.failed:
        return
    if run.undone_by and (told := _left_for_the_next(job)):
        course.stopped("s", told)  # of a move, whose next run is elsewhere: its undo takes it away
    else:
        course.failed += setup.as_after(run.name)
    if run.undone_by:
        course.expect(RUNS[run.undone_by].do(service, setup.known()), JobState.UNDONE, "undo")
        setup.rest()
        course.failed += setup.as_after(run.undone_by)


def _carried_out(course: Course, run: Run) -> Job | None:
    """The job once the fault is over; None: it has to be done again."""
    service = course.service
    try:
        job = run.do(service, course.setup.known())
    except MultisiteError as error:
        course.stopped("r", str(error))
        return None
    if job.state is JobState.PAUSED:
        course.stopped("p", job.error)
        service.jobs.resume(job.id, "tester")
        return service.rest(job.id)
    if job.state is JobState.UNDO_FAILED:
        course.stopped("o", said(job))
        service.jobs.undo(job.id, "tester")
        job = service.rest(job.id)
        course.expect(job, JobState.UNDONE, "undo again")
        return job if run.state is JobState.UNDONE and run.name != "drill" else None
    if job.state is JobState.UNDONE and run.state is JobState.DONE:
        course.stopped("u", job.error)
        return None
    if run.name == "drill" and (reasons := _not_passed(course)):
        course.stopped("u", reasons)
        return None
    if not run.undone_by and (told := _left_for_the_next(job)):
        course.stopped("s", told)
        return None
    return job


def _left_for_the_next(job: Job) -> str:
    """What the job has told that it could not delete."""
    return "; ".join(entry.message for entry in job.journal if AGAIN in entry.message)


def _not_passed(course: Course) -> str:
    """Why the newest drill has not passed; "": it has."""
    found = course.service.recoveries.drills.get(course.service.caller, course.setup.known().recovery)
    return "" if found.result == "passed" else "; ".join(found.reasons) or f"drill: {found.result}"


def _expect_passed(course: Course) -> None:
    if reasons := _not_passed(course):
        course.failed.append(f"the drill has not passed: {reasons}")


COURSES: dict[str, Callable[[Course], None]] = {
    **{phase.name: partial(_run, run=RUNS[phase.run]) for phase in PHASES.values()},
    "full": partial(_protect, phase="full"),
    "incremental": partial(_protect, phase="incremental"),
    "recover": _recover,
    "undo": _undo,
}
