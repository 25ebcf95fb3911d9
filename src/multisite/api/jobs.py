"""``/v1/jobs``: durable work and how far it is.

Watching is cheap: an answer carries a weak ETag over what changed (not over the seconds that merely pass),
and ``If-None-Match`` turns an unchanged job into an empty 304.
"""

from __future__ import annotations

import hashlib

from flask import Response, jsonify, request

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import JobStartedOut, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown
from multisite.api.state import Service, policy
from multisite.domain.caller import Caller
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.jobs.view import Job, JournalEntry, StepView


class JobFilter(PageQuery):
    subject: Ref | None = None
    state: JobState | None = None


_WAITS = """``elapsed`` in seconds; ``done`` of ``total`` in ``unit`` where the step can tell.

``waits``: what it waits for: steps it needs, a limit, a worker, the next attempt of a call; or empty."""
_SETTLED = """``settled``: at rest, and what it was about has been updated; a watcher waits for that.

``worker``: the process that carries it out, or did last."""
StepOut = shown(StepView, "StepOut", doc=_WAITS)
JournalLineOut = shown(JournalEntry, "JournalLineOut")
JobSummaryOut = shown(Job, "JobSummaryOut", without=("steps", "journal"), doc=_SETTLED)
JobsOut = page_of("JobsOut", jobs=list[Job])
JobOut = shown(Job, doc=_SETTLED)


jobs = Service("jobs", JobEngine)
OWNED = Owned("job", lambda _caller, id: jobs().get(id))
resource = Resource("jobs", "/v1/jobs", tag="Jobs", owned=OWNED)

_PASSING = {"steps": {"__all__": {"elapsed"}}}
_UNCHANGED = {304: "Nothing changed since the ETag in If-None-Match"}


@resource.route("GET", "job:list", READER, query=JobFilter, out=JobsOut)
def list_jobs(caller: Caller, query: JobFilter) -> object:
    """List the jobs of the project (administrators: of all), newest first, without steps and journals."""
    return {"jobs": jobs().list(caller.scope, page=query.page(), **query.filters())}


@resource.route("GET /<id>", "job:show", READER, out=JobOut, responses=_UNCHANGED)
def show_job(_caller: Caller, found: Job) -> object:
    """Show a job, its steps and its journal."""
    job = JobOut.model_validate(found)
    answer: Response = jsonify(job.model_dump(mode="json"))
    content = job.model_dump_json(exclude=_PASSING)
    answer.set_etag(hashlib.sha256(content.encode()).hexdigest()[:32], weak=True)
    return answer.make_conditional(request)


def _check(job: Job) -> None:
    """Forbidden (403) for who might not have started such a job: it may have been an administrator's."""
    policy().check(jobs().rule_of(job.kind) or "admin", job.project_id or "")


@resource.route("POST /<id>/cancel", "job:cancel", MEMBER, out=JobStartedOut, status=202)
def cancel_job(caller: Caller, found: Job) -> object:
    """Stop as soon as it is safe; for who may start such a job."""
    _check(found)
    jobs().cancel(found.id, caller.user_name)
    return {"job_id": found.id}


@resource.route("POST /<id>/resume", "job:resume", MEMBER, out=JobStartedOut, status=202)
def resume_job(caller: Caller, found: Job) -> object:
    """Go on with a paused job, as who may start it; steps that are done are not done again."""
    _check(found)
    jobs().resume(found.id, caller.user_name)
    return {"job_id": found.id}


@resource.route("POST /<id>/undo", "job:undo", MEMBER, out=JobStartedOut, status=202)
def undo_job(caller: Caller, found: Job) -> object:
    """Remove what a job made, last first; for who may start such a job."""
    _check(found)
    jobs().undo(found.id, caller.user_name)
    return {"job_id": found.id}
