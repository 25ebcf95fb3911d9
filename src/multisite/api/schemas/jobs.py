"""Jobs, their steps and their journal."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.schemas.common import Query, Ref
from multisite.api.schemas.derived import group, shown
from multisite.jobs.model import JobState
from multisite.jobs.view import Job, JournalEntry, StepView


class JobFilter(Query):
    subject: Ref | None = None
    state: JobState | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


_WAITS = """``elapsed`` in seconds; ``done`` of ``total`` in ``unit`` where the step can tell.

``waits``: what it waits for: steps it needs, a limit, a worker, the next attempt of a call; or empty."""
_SETTLED = """``settled``: at rest, and what it was about has been updated; a watcher waits for that.

``worker``: the process that carries it out, or did last."""
StepOut = shown(StepView, "StepOut", doc=_WAITS)
JournalLineOut = shown(JournalEntry, "JournalLineOut")
JobSummaryOut = shown(Job, "JobSummaryOut", without=("steps", "journal"), doc=_SETTLED)
JobsOut = group("JobsOut", jobs=list[Job])
JobOut = shown(Job, doc=_SETTLED)
