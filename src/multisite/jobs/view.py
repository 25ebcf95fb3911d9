"""A job as operators see it: read-only dataclasses, read from the database; nothing here changes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from multisite.domain.errors import NotFound
from multisite.domain.page import ALL, Page
from multisite.jobs.model import JobState, Json, StepState
from multisite.store import jobs as rows
from multisite.store.database import Database
from multisite.store.models import JobRow, JournalRow, StepRow
from multisite.store.types import now

AT_REST = frozenset({JobState.PAUSED, JobState.DONE, JobState.UNDONE, JobState.UNDO_FAILED})


@dataclass(frozen=True)
class StepView:
    """``started_at``, ``ended_at`` and ``elapsed`` are of what it did last: its run, or its undo."""

    name: str
    title: str
    state: StepState
    site: str | None
    needs: tuple[str, ...]
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    elapsed: float | None
    done: float | None
    total: float | None
    unit: str
    detail: str
    error: str | None
    waits: str = ""
    """What it waits for, in an operator's words; "" when it does not wait."""


@dataclass(frozen=True)
class JournalEntry:
    at: datetime
    who: str
    message: str
    step: str | None
    data: dict[str, object]


@dataclass(frozen=True)
class Job:
    """``settled``: at rest (done, paused, undone or undo failed) and what it was about has been updated."""

    id: str
    kind: str
    title: str
    state: JobState
    settled: bool
    project_id: str | None
    subject: str | None
    requested_by: str
    request_id: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    worker: str | None = None
    """The process that carries it out, or did last; None while nobody has taken it."""
    steps: tuple[StepView, ...] = ()
    journal: tuple[JournalEntry, ...] = ()

    def step(self, name: str) -> StepView:
        """The step of that name (KeyError when there is none)."""
        return {step.name: step for step in self.steps}[name]


class JobReader:
    """Jobs as the database has them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, job_id: str, project_id: str | None = None) -> Job:
        """With steps and journal.  NotFound, also for one of another project when ``project_id`` is given."""
        with self.database.session(read_only=True) as session:
            row = rows.job(session, job_id)
            if project_id not in (None, row.project_id):
                raise NotFound(f"job: there is no job {job_id!r}")
            return _job_view(row, rows.steps(session, job_id), rows.journal(session, job_id))

    def list(
        self,
        project_id: str | None = None,
        *,
        subject: str | None = None,
        state: JobState | None = None,
        settled: bool | None = None,
        page: Page = ALL,
    ) -> list[Job]:
        """Newest first, without steps and journals."""
        with self.database.session(read_only=True) as session:
            found = rows.jobs(session, project_id, subject=subject, state=state, settled=settled, page=page)
            return [_job_view(row) for row in found]

    def states(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """Of those that there are, by id."""
        with self.database.session(read_only=True) as session:
            return {id: JobState(state) for id, state in rows.states(session, job_ids).items()}

    def result(self, job_id: str, name: str) -> Json:
        """The stored result of a step."""
        with self.database.session(read_only=True) as session:
            stored: Json = rows.step(session, job_id, name).result
            return stored


ViewT = TypeVar("ViewT", Job, StepView, JournalEntry)


def _job_view(row: JobRow, steps: Sequence[StepRow] = (), journal: Sequence[JournalRow] = ()) -> Job:
    done = frozenset(step.name for step in steps if step.state == StepState.DONE)
    return _from_row(
        Job,
        row,
        state=JobState(row.state),
        error=error_of(row),
        steps=tuple(_step_view(step, _waits(row, step, done)) for step in steps),
        journal=tuple(_from_row(JournalEntry, line) for line in journal),
    )


def error_of(row: JobRow) -> str | None:
    """Of the run, and of its undo."""
    return "; ".join(error for error in (row.error, row.undo_error) if error) or None


def _waits(job: JobRow, step: StepRow, done: frozenset[str]) -> str:
    if step.state in (StepState.RUNNING, StepState.UNDOING):
        return step.waits
    if step.state == StepState.FAILED and job.state == JobState.PAUSED:
        return "the operator: resume or undo"
    if step.state != StepState.WAITING or job.state in AT_REST or job.state == JobState.UNDOING:
        return ""
    needs = [need for need in step.needs if need not in done]
    if needs:
        return f"steps {', '.join(needs)}"
    if job.worker is None:
        return "a worker"
    return f"limit {step.limit_name}" if step.limit_name else ""


def _step_view(row: StepRow, waits: str) -> StepView:
    elapsed = ((row.ended_at or now()) - row.started_at).total_seconds() if row.started_at else None
    return _from_row(
        StepView, row, state=StepState(row.state), needs=tuple(row.needs), elapsed=elapsed, waits=waits
    )


def _from_row(view: type[ViewT], row: object, **different: Any) -> ViewT:
    same = {field.name: getattr(row, field.name) for field in fields(view) if field.name not in different}
    return view(**same, **different)
