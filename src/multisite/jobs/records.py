"""What the database knows of jobs, and every change of it: one transaction each, void for who lost the job.

The step rows are the memo that makes work survive a crash: RUNNING is committed before the effect, DONE with
the result after it, and a DONE step is never executed again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.page import Page
from multisite.domain.work import Work
from multisite.jobs import crashes, dbos_calls, retreat
from multisite.jobs.crashes import Crashes
from multisite.jobs.model import AppliesOutcome, Ended, Ending, JobState, Json, Policy, Step, StepState
from multisite.jobs.step_rows import failures, new_step, start
from multisite.jobs.view import JobReader, error_of
from multisite.store import jobs as rows
from multisite.store.database import Database
from multisite.store.models import JobRow, WorkerRow
from multisite.store.types import now

log = logging.getLogger("multisite.jobs")

ENGINE = "multisite"  # who, in the journal, when it was no person
INTERRUPTED = "interrupted: the worker stopped during this step and its end is unknown"


class Abandoned(BaseException):
    """This execution must not go on: the worker is stopping, or the job has a newer owner.

    Not an Exception, so that no step takes it for a failure.  Nothing is recorded: it is found interrupted.
    """


@dataclass(frozen=True)
class Claim:
    """The right to carry out one run of a job; ``epoch`` goes stale when somebody else claims it."""

    job_id: str
    epoch: int
    kind: str
    params: Mapping[str, Json]
    state: JobState
    owner: str = ""
    crashes: Crashes = field(default_factory=Crashes)
    work: Work = field(default_factory=Work)
    """Who asked for this run, and what it is about: for the log and the audit trail."""


@dataclass(frozen=True)
class Begun:
    """The answer to "may I begin this step": ``go``, or what is known of it already (``ok``)."""

    go: bool
    ok: bool = False
    attempt: int = 0
    interrupted: bool = False
    result: Json = None


class Records(JobReader):
    """Jobs in the database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._queue = dbos_calls.Queue(database)

    # What operators ask

    def create(self, row: JobRow, steps: Sequence[Step]) -> None:
        """Accept a job: it is durable from here on."""
        with self.database.session() as session:
            session.add(row)
            session.flush()
            session.add_all(new_step(row.id, position, step) for position, step in enumerate(steps))
            self._note(session, row.id, row.requested_by, f"accepted: {row.title}")
            self._queue.put(session, row.id, row.run)

    def resume(self, job_id: str, by: str) -> None:
        """Run the steps of a paused job that are not done.  Conflict when it is not paused."""
        with self.database.session() as session:
            row = rows.job(session, job_id, lock=True)
            _require(row, "resumed", JobState.PAUSED)
            if row.intent != retreat.INTENT:  # which is ended first
                for step in rows.steps(session, job_id):
                    if step.state in (StepState.FAILED, StepState.SKIPPED):
                        step.state, step.error = StepState.WAITING, None
                        step.started_at, step.ended_at = None, None
                row.intent = "run"
            row.error = None
            self._note(session, job_id, by, rows.RESUME)
            self._again(session, row, JobState.RUNNING)

    def undo(self, job_id: str, by: str) -> None:
        """Remove what the job made, last first.  Conflict while it runs, unless it is being cancelled."""
        with self.database.session() as session:
            row = rows.job(session, job_id, lock=True)
            if row.state == JobState.RUNNING and not row.cancel_requested:
                raise Conflict(f"job: {job_id} is running; cancel it before undoing it")
            _require(row, "undone", JobState.PAUSED, JobState.DONE, JobState.UNDO_FAILED, JobState.RUNNING)
            self._note(session, job_id, by, rows.UNDO)
            row.intent = "undo"
            if row.state != JobState.RUNNING:
                row.undo_error = None
                self._again(session, row, JobState.UNDOING)

    def cancel(self, job_id: str, by: str) -> None:
        """Begin no more steps; running ones are told.  Then the kind's policy decides: undone, or paused."""
        with self.database.session() as session:
            row = rows.job(session, job_id, lock=True)
            _require(row, "cancelled", JobState.QUEUED, JobState.RUNNING)
            if not row.cancel_requested:
                row.cancel_requested = True
                self._note(session, job_id, by, rows.CANCEL)

    # What the owner does

    def claim(self, job_id: str, run: int, worker: str, owner: str) -> Claim | None:
        """Become the owner; None when this run is over or a later one was asked for.

        ``owner``: DBOS's token for whoever took the run from the queue.  Abandoned when it is another's by now: one
        who was frozen between taking and claiming it never becomes the owner, and each claim makes older ones void.
        """
        with self.database.session() as session:
            row = rows.job(session, job_id, lock=True)
            if row.run != run or row.settled:
                return None
            if not dbos_calls.owns(session, dbos_calls.workflow_id(job_id, run), owner):
                raise Abandoned(f"job {job_id} has another owner")
            row.worker = worker
            row.epoch += 1
            if row.state == JobState.QUEUED:
                row.state = JobState.RUNNING
            row.started_at = row.started_at or now()
            user = rows.asked_by(session, job_id) or row.requested_by
            work = Work(user, row.project_id, row.request_id, job_id, row.subject)
            state, died = JobState(row.state), crashes.take_up(session, row, owner)
            return Claim(job_id, row.epoch, row.kind, row.params, state, owner, died, work)

    def begin_turn(self, claim: Claim) -> None:
        """A suspect (``crashes``) is carried out by itself."""
        with self._owned(claim) as (_, row):
            crashes.begin_turn(row, claim.owner)

    def reset_claims(self, worker: str) -> None:
        """The process stops in order: none of its jobs is the cause."""
        with self.database.session() as session:
            rows.reset_claims(session, worker)

    def begin(self, claim: Claim, name: str, policy: Policy) -> Begun:
        """STARTED, committed before the effect; or why this step is not to run (again)."""
        with self._owned(claim) as (session, row):
            step = rows.step(session, claim.job_id, name)
            if step.state not in (StepState.WAITING, StepState.RUNNING):
                return Begun(go=False, ok=step.state == StepState.DONE)
            interrupted = step.state == StepState.RUNNING
            if interrupted and step.epoch == claim.epoch:  # we did, and the answer to the commit was lost
                return Begun(go=True, attempt=step.attempt, interrupted=step.interrupted)
            if interrupted:
                step.interrupted = True
                self._note(session, claim.job_id, ENGINE, INTERRUPTED, step=name)
            if row.cancel_requested or (
                policy == "undo" and rows.any_in_state(session, claim.job_id, StepState.FAILED)
            ):
                if interrupted:
                    step.state, step.error, step.ended_at = StepState.FAILED, INTERRUPTED, now()
                return Begun(go=False)
            start(step, StepState.RUNNING, claim.epoch)
            step.attempt, step.result = step.attempt + 1, None
            return Begun(go=True, attempt=step.attempt, interrupted=step.interrupted)

    def begin_undo(self, claim: Claim, name: str, *, has_undo: bool) -> Begun:
        """UNDOING, committed before the effect.  A step that never started needs no undo."""
        with self._owned(claim) as (session, _):
            step = rows.step(session, claim.job_id, name)
            if step.attempt == 0 or step.state == StepState.UNDONE:
                if step.state == StepState.WAITING:
                    step.state = StepState.SKIPPED
                return Begun(go=False, ok=True)
            if not has_undo:
                step.state, step.error = StepState.UNDONE, None
                return Begun(go=False, ok=True)
            interrupted = step.interrupted or step.state in (StepState.RUNNING, StepState.UNDOING)
            if step.state == StepState.UNDOING and step.epoch == claim.epoch:
                interrupted = step.interrupted  # begun by us, the answer to the commit was lost
            else:
                start(step, StepState.UNDOING, claim.epoch)
                step.undo_attempt += 1
            return Begun(go=True, attempt=step.undo_attempt, interrupted=interrupted, result=step.result)

    def end(
        self,
        claim: Claim,
        name: str,
        state: StepState,
        *,
        result: Json = None,
        error: str | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> None:
        """How the step ended, after the effect.  The result of a run is kept for its undo."""
        with self._owned(claim) as (session, row):
            row.claims = 1  # it makes progress
            step = rows.step(session, claim.job_id, name)
            if step.state == state:
                return  # written already, the answer to the commit was lost
            step.state, step.error, step.ended_at, step.waits = state, error, now(), ""
            for field, value in (progress or {}).items():
                setattr(step, field, value)
            if state == StepState.DONE:
                step.result = result
            if error is not None:
                what = "undo failed" if state == StepState.UNDO_FAILED else "failed"
                self._note(session, claim.job_id, ENGINE, f"{step.title}: {what}: {error}", step=name)

    def grow(self, claim: Claim, params: Mapping[str, Json], steps: Sequence[Step]) -> None:
        """The job has these steps besides, by these parameters."""
        with self._owned(claim) as (session, row):
            if row.params == params:
                return  # written already, the answer to the commit was lost
            row.params, there = dict(params), len(rows.steps(session, claim.job_id))
            session.add_all(new_step(row.id, there + n, step) for n, step in enumerate(steps))

    def retreats(self, claim: Claim) -> bool:
        """Whether a retreat (``retreat``) was begun and has not ended."""
        with self._owned(claim) as (_, row):
            return row.intent == retreat.INTENT

    def begin_retreat(self, claim: Claim) -> bool:
        """Committed before the first of its steps is undone; False: every step is done, or an undo is ordered."""
        with self._owned(claim) as (session, row):
            return retreat.begin(row, rows.steps(session, claim.job_id))

    def end_retreat(self, claim: Claim, params: Mapping[str, Json], gone: Collection[str]) -> JobState:
        """The job has these parameters, and not these steps; what becomes of it."""
        with self._owned(claim) as (session, row):
            state = retreat.end(session, row, params, gone)
            return self._rest(session, row, state) if state == JobState.PAUSED else state

    def conclude(self, claim: Claim, policy: Policy, on_done: Ending = "keep") -> JobState:
        """Every step of the run has ended: done, paused, or (by policy, or as an operator asked) undoing."""
        with self._owned(claim) as (session, row):
            steps = rows.steps(session, claim.job_id)
            for step in steps:
                if step.state == StepState.WAITING:
                    step.state = StepState.SKIPPED
            done = all(step.state == StepState.DONE for step in steps)
            if done and row.intent != "undo" and on_done == "keep":
                return self._rest(session, row, JobState.DONE)
            row.error = failures(row, steps) or row.error
            if policy == "pause" and row.intent != "undo" and not done:
                return self._rest(session, row, JobState.PAUSED)
            row.state = JobState.UNDOING
            self._note(session, row.id, ENGINE, "undoing what was made")
            return JobState.UNDOING

    def conclude_undo(self, claim: Claim, found: Sequence[tuple[str, str]] = ()) -> JobState:
        """UNDONE only when no step that ever started is left, and nothing was ``found`` of the job (step, words).

        A step of which something was found is undone again when that is asked for.
        """
        with self._owned(claim) as (session, row):
            steps = rows.steps(session, claim.job_id)
            for step in steps:
                if words := [what for name, what in found if name == step.name]:
                    step.state, step.error = StepState.UNDO_FAILED, "; ".join(words)
            others = [what for name, what in found if name not in {step.name for step in steps}]
            left = [step for step in steps if step.attempt > 0 and step.state != StepState.UNDONE]
            if not left and not others:
                row.undo_error = None
                return self._rest(session, row, JobState.UNDONE)
            failed = [f"{step.title}: {step.error}" for step in left if step.state == StepState.UNDO_FAILED]
            row.undo_error = f"not undone: {len(left)} of {len(steps)} steps: {'; '.join(failed + others)}"
            return self._rest(session, row, JobState.UNDO_FAILED)

    def give_up(self, claim: Claim, error: str) -> JobState:
        """Nothing is tried: the plan cannot be rebuilt, or processes die of it.  The operator has to look."""
        with self._owned(claim) as (session, row):
            row.error = error
            if claim.crashes.culprit:
                crashes.set_aside(session, row)
            undoing = row.state == JobState.UNDOING
            for step in rows.steps(session, claim.job_id):
                if step.state in (StepState.RUNNING, StepState.UNDOING):
                    step.state = StepState.UNDO_FAILED if undoing else StepState.FAILED
                    step.interrupted, step.error, step.ended_at = True, INTERRUPTED, now()
            return self._rest(session, row, JobState.UNDO_FAILED if undoing else JobState.PAUSED)

    def settle(self, claim: Claim, outcome: AppliesOutcome | None = None) -> None:
        """Nobody has to carry on with this job; in the same transaction, what it was about is updated."""
        with self._owned(claim) as (_, row):
            if outcome is not None and not row.settled:
                outcome.apply(self.ended(claim))
            row.settled = True

    def claim_subject(self, subject: str, what: str) -> None:
        """Have the subject to oneself until the end of the open session; called in ``with database.session():``.

        Conflict when a job about it is unsettled, naming the job and what to do; ``what`` is how the message names
        the subject ("plane lab").  Whoever starts a job about a subject, or changes it, claims it first, in the same
        session: two processes never pass at once.  Without an open session it is only a first check.
        """
        with self.database.session() as session:
            self.database.advisory_lock(f"subject {subject}")
            for row in rows.jobs(session, subject=subject, settled=False, page=Page(1)):
                raise Conflict(
                    f"{what}: job {row.id} ({row.title}) is at work on it, asked for by {row.requested_by}: "
                    "wait for it, or cancel it"
                )

    def ended(self, claim: Claim) -> Ended:
        """How it came to rest."""
        with self._owned(claim) as (_, row):
            return Ended(row.id, JobState(row.state), error_of(row), claim.params)

    def not_queued(self) -> list[tuple[str, int]]:
        """Id and run of every job somebody has to carry on with, that the queue does not know as such."""
        with self.database.session(read_only=True) as session:
            unsettled = rows.jobs(session, settled=False)
            jobs = {dbos_calls.workflow_id(row.id, row.run): row for row in reversed(unsettled)}
            known = dbos_calls.states(session, list(jobs))
            living = session.scalars(select(WorkerRow.id)).all()
            return [
                (row.id, row.run)
                for workflow, row in jobs.items()
                # What a living worker of an older release has in hand it carries to its end.
                if known.get(workflow) not in dbos_calls.ACTIVE
                and (workflow in known or row.worker not in living)
            ]

    def queue_again(self, job_id: str, run: int) -> None:
        """Put it in, under a new number if a workflow has had this one and ended without settling the job."""
        with self.database.session() as session:
            row = rows.job(session, job_id, lock=True)
            if row.settled or row.run != run:
                return
            workflow = dbos_calls.workflow_id(job_id, run)
            state = dbos_calls.states(session, [workflow]).get(workflow)
            if state not in dbos_calls.ACTIVE:
                row.run += state is not None
                self._queue.put(session, job_id, row.run)

    def event(self, claim: Claim, message: str, step: str | None, data: Mapping[str, Json]) -> None:
        """Add a line to the journal, by the owner."""
        with self._owned(claim) as (session, _):
            self._note(session, claim.job_id, claim.kind, message, step, data)

    @contextmanager
    def _owned(self, claim: Claim) -> Iterator[tuple[Session, JobRow]]:
        with self.database.session() as session:
            row = rows.job(session, claim.job_id, lock=True)
            if row.epoch != claim.epoch:
                raise Abandoned(f"job {claim.job_id} has another owner")
            yield session, row

    def _rest(self, session: Session, row: JobRow, state: JobState) -> JobState:
        if row.state == state:
            return state  # written already, the answer to the commit was lost
        row.state = state
        row.ended_at = None if state == JobState.PAUSED else now()
        error = error_of(row)
        self._note(session, row.id, ENGINE, f"{state}: {error}" if error else state)
        return state

    def _again(self, session: Session, row: JobRow, state: JobState) -> None:
        row.state, row.settled, row.cancel_requested, row.ended_at = state, False, False, None
        row.worker, row.claims = None, 0  # whoever is free may take it
        row.run += 1
        self._queue.put(session, row.id, row.run)

    def _note(
        self, session: Session, job_id: str, who: str, message: str,
        step: str | None = None, data: Mapping[str, Json] | None = None,
    ) -> None:  # fmt: skip
        rows.note(session, job_id, who, message, step, data or {})
        log.info("job %s: %s", job_id, message, extra={"job": job_id, "step": step, "who": who, "data": data})


def _require(row: JobRow, verb: str, *states: JobState) -> None:
    if row.state not in states:
        raise Conflict(
            f"job: {row.id} is {row.state} and cannot be {verb}; only a job that is {', '.join(states)} can"
        )
