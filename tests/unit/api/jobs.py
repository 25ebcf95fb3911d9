"""Jobs as a test wants them: as operators see them, and as rows of the database."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from multisite.jobs.model import JobState, StepState
from multisite.jobs.view import AT_REST, Job, JournalEntry, StepView
from multisite.store.database import Database
from multisite.store.models import JobRow, JournalRow, StepRow

BEGAN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_ids = itertools.count(1)


def new_id() -> str:
    return f"00000000-0000-4000-8000-{next(_ids):012d}"


def step(
    name: str, state: StepState = StepState.DONE, elapsed: float | None = 2.0, **options: Any
) -> StepView:
    """``elapsed``: how long it took; of one that runs, what has passed since it began."""
    began = BEGAN if elapsed is not None else None
    ended = BEGAN + timedelta(seconds=elapsed or 0) if began and state is not StepState.RUNNING else None
    values: dict[str, Any] = {
        "site": "paris", "needs": (), "attempt": 1, "started_at": began, "ended_at": ended, "elapsed": elapsed,
        "done": None, "total": None, "unit": "", "detail": "", "error": None,
    } | options  # fmt: skip
    return StepView(name, f"the step {name}", state, **values)


def job(
    subject: str | None = None, project: str | None = "p-mine", state: JobState = JobState.DONE, **more: Any
) -> Job:
    values: dict[str, Any] = {
        "kind": "protect", "settled": state in AT_REST, "worker": "w-1",
        "request_id": "req-1", "cancel_requested": False,
        "created_at": BEGAN, "started_at": BEGAN, "ended_at": BEGAN + timedelta(seconds=4), "error": None,
        "steps": (step("snapshot"), step("backup", done=1.0, total=1.0, unit="GiB")),
        "journal": (JournalEntry(BEGAN, "engine", "job began", None, {}),),
    } | more  # fmt: skip
    return Job(
        id=new_id(), title="protect mme", state=state, project_id=project, subject=subject,
        requested_by="olga", **values,
    )  # fmt: skip


def keep(database: Database, job: Job) -> None:
    """Write a job's rows, or how they are now; the journal only grows, so that of a known job stays."""
    values = asdict(job)
    steps, journal = values.pop("steps"), values.pop("journal")
    with database.session() as session:
        known = session.get(JobRow, job.id)
        first = {} if known else {"params": {}, "run": 1, "epoch": 0, "intent": "run"}
        session.merge(JobRow(**values, **first))
        session.flush()
        for position, one in enumerate(steps):
            del one["elapsed"]
            one["needs"] = list(one["needs"])
            memo = {} if known else {"epoch": 0, "interrupted": False, "undo_attempt": 0}
            session.merge(StepRow(job_id=job.id, position=position, **memo, **one))
        if known is None:
            session.add_all(JournalRow(job_id=job.id, **line) for line in journal)
