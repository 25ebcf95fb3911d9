"""One case, from its beginning to the verdict."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, replace

from tests.matrix.faults.cases import Case
from tests.matrix.faults.courses import COURSES, Course
from tests.matrix.faults.setup import Setup

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
LATE = "no answer in time"
"""`clouds.call` of an answer that took longer than the limit."""


@dataclass(frozen=True)
class Result:
    """``failed``: everything that is wrong; ``story``: what happened, in order."""

    case: Case
    letter: str
    failed: tuple[str, ...] = ()
    story: tuple[str, ...] = ()
    seconds: float = 0.0


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
    course = Course(setup, setup.begin(case.call.phase))
    met, struck = 0, 0
    try:
        setup.strike(case)
        COURSES[case.call.phase](course)
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
