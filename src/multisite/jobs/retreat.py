"""A job goes back to where it was shorter (``JobKind.retreat``); called in a session of ``Records``.

That one was begun is kept as the job's intent, so that whoever carries on ends it first: steps that it has undone
would otherwise count as neither done nor failed.  An order to undo the whole job comes before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import delete
from sqlalchemy.orm import Session

from multisite.jobs.model import JobState, Json, StepState
from multisite.jobs.step_rows import failures
from multisite.store import jobs as rows
from multisite.store.models import JobRow, StepRow

INTENT = "retreat"


def begin(row: JobRow, steps: Sequence[StepRow]) -> bool:
    """Whether it is to be done; keeps why, which the steps will not tell any more."""
    if row.intent == INTENT:
        return True
    if row.intent == "undo" or all(step.state == StepState.DONE for step in steps):
        return False
    row.error, row.intent = failures(row, steps) or row.error, INTENT
    return True


def end(session: Session, row: JobRow, params: Mapping[str, Json], gone: Collection[str]) -> JobState:
    """PAUSED; RUNNING, or UNDOING, when an operator has ordered meanwhile that it goes on, or is undone."""
    if row.intent == "undo":
        row.state = JobState.UNDOING
        return JobState.UNDOING
    if row.params == params:
        return JobState(row.state)  # written already, the answer to the commit was lost
    steps = [step for step in rows.steps(session, row.id) if step.name in gone]
    left = [step for step in steps if step.attempt > 0 and step.state != StepState.UNDONE]
    if left:
        said = "; ".join(f"{step.title}: {step.error}" for step in left if step.error)
        before = f"{row.error}; " if row.error else ""
        row.error = (
            f"{before}what was begun could not be taken back: {said}: remove the reason and resume, or undo"
        )
        return JobState.PAUSED
    session.execute(delete(StepRow).where(StepRow.job_id == row.id, StepRow.name.in_(gone)))
    row.params, row.intent = dict(params), "run"
    if row.error is None and not row.cancel_requested:
        return JobState.RUNNING
    row.error = (
        f"{row.error or 'cancelled by the operator'}; what was begun since was taken back: resume, or undo"
    )
    return JobState.PAUSED
