"""Rows of jobs, steps and the journal.  What they mean, and which change is allowed, ``jobs`` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session, defer

from multisite.domain.errors import NotFound
from multisite.domain.page import ALL, Page
from multisite.store.models import JobRow, JournalRow, StepRow
from multisite.store.paging import paged
from multisite.store.repository import equal
from multisite.store.types import now

RESUME, UNDO, CANCEL = "resume requested", "undo requested", "cancel requested"
"""What the journal says of people's orders."""


def job(session: Session, job_id: str, *, lock: bool = False) -> JobRow:
    """The row; with ``lock`` no other transaction can change it before this one ends.  NotFound without."""
    row = session.get(JobRow, job_id, with_for_update=lock or None)
    if row is None:
        raise NotFound(f"job: there is no job {job_id!r}")
    return row


def jobs(
    session: Session,
    project_id: str | None = None,
    *,
    subject: str | None = None,
    state: str | None = None,
    settled: bool | None = None,
    page: Page = ALL,
) -> Sequence[JobRow]:
    """Newest first, without their parameters, which are as long as the plan."""
    where = equal((JobRow.subject, subject), (JobRow.state, state), (JobRow.settled, settled))
    scope = equal((JobRow.project_id, project_id))
    wanted = select(JobRow).options(defer(JobRow.params, raiseload=True)).where(*where)
    order = (JobRow.created_at, JobRow.id)
    return session.scalars(paged(session, wanted, page, order, scope=scope, newest_first=True)).all()


def states(session: Session, job_ids: Sequence[str]) -> dict[str, str]:
    """By id, of those that there are."""
    wanted = select(JobRow.id, JobRow.state).where(JobRow.id.in_(job_ids))
    return dict(session.execute(wanted).all())


def steps(session: Session, job_id: str) -> Sequence[StepRow]:
    """In the order the plan names them."""
    return session.scalars(select(StepRow).where(StepRow.job_id == job_id).order_by(StepRow.position)).all()


def reset_claims(session: Session, worker: str) -> None:
    """Count the claims of a worker's jobs anew."""
    mine = update(JobRow).where(JobRow.worker == worker, JobRow.settled.is_(False))
    session.execute(mine.values(claims=0), execution_options={"synchronize_session": False})


def others_taken_up(session: Session, job_id: str) -> bool:
    """Whether a process has taken up another job that is not settled."""
    others = (JobRow.id != job_id, JobRow.settled.is_(False), JobRow.claims > 0)
    return session.scalar(select(JobRow.id).where(*others).limit(1)) is not None


def clear_others(session: Session, job_id: str) -> None:
    """Of their claims only the present one counts."""
    others = update(JobRow).where(JobRow.id != job_id, JobRow.settled.is_(False), JobRow.claims > 1)
    session.execute(others.values(claims=1), execution_options={"synchronize_session": False})


def doubt_open_steps(session: Session) -> list[str]:
    """Of jobs that are not over, every step that may have been run: its end is unknown.  Ids of the jobs."""
    over = ("done", "undone")
    ids = session.scalars(select(JobRow.id).where(JobRow.state.not_in(over))).all()
    wanted = update(StepRow).where(StepRow.job_id.in_(ids), StepRow.state.not_in(over))
    begun = case((StepRow.attempt == 0, 1), else_=StepRow.attempt)
    values = wanted.values(interrupted=True, attempt=begun)
    session.execute(values, execution_options={"synchronize_session": "fetch"})
    return list(ids)


def step(session: Session, job_id: str, name: str) -> StepRow:
    return session.get_one(StepRow, (job_id, name))


def any_in_state(session: Session, job_id: str, state: str) -> bool:
    """Whether a step of the job is in this state."""
    wanted = select(StepRow.name).where(StepRow.job_id == job_id, StepRow.state == state).limit(1)
    return session.scalar(wanted) is not None


def journal(session: Session, job_id: str) -> Sequence[JournalRow]:
    """Oldest first."""
    return session.scalars(
        select(JournalRow).where(JournalRow.job_id == job_id).order_by(JournalRow.id)
    ).all()


def asked_by(session: Session, job_id: str) -> str | None:
    """Who gave the last order about a job; None when nobody has since it was accepted."""
    orders = (JournalRow.job_id == job_id, JournalRow.message.in_((RESUME, UNDO, CANCEL)))
    return session.scalar(select(JournalRow.who).where(*orders).order_by(JournalRow.id.desc()).limit(1))


def note(
    session: Session, job_id: str | None, who: str, message: str, step: str | None, data: Mapping[str, Any]
) -> None:
    """Append a line to the journal."""
    session.add(JournalRow(job_id=job_id, step=step, at=now(), who=who, message=message, data=dict(data)))
