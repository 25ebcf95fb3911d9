"""Jobs, their steps and their journal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from multisite.api.schemas.common import Out, Query, Ref
from multisite.jobs.model import JobState, StepState


class JobFilter(Query):
    subject: Ref | None = None
    state: JobState | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class StepOut(Out):
    """``elapsed`` in seconds; ``done`` of ``total`` in ``unit`` where the step can tell.

    ``waits``: what it waits for: steps it needs, a limit, a worker, the next attempt of a call; or empty.
    """

    name: str
    title: str
    state: StepState
    site: str | None
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    elapsed: float | None
    done: float | None
    total: float | None
    unit: str
    detail: str
    waits: str
    error: str | None
    needs: list[str]


class JournalLineOut(Out):
    at: datetime
    step: str | None
    who: str
    message: str
    data: dict[str, Any]


class JobSummaryOut(Out):
    """``settled``: at rest, and what it was about has been updated; a watcher waits for that.

    ``worker``: the process that carries it out, or did last.
    """

    id: str
    kind: str
    title: str
    state: JobState
    settled: bool
    cancel_requested: bool
    request_id: str | None
    project_id: str | None
    subject: str | None
    requested_by: str
    worker: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None


class JobOut(JobSummaryOut):
    steps: list[StepOut]
    journal: list[JournalLineOut]


class JobsOut(Out):
    jobs: list[JobSummaryOut]
