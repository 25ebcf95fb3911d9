"""``/v1/jobs``: durable work and how far it is.

Watching is cheap: an answer carries a weak ETag over what changed (not over the seconds that merely pass),
and ``If-None-Match`` turns an unchanged job into an empty 304.
"""

from __future__ import annotations

import hashlib
from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from multisite.api.schemas.common import JobStartedOut
from multisite.api.schemas.jobs import JobFilter, JobOut, JobsOut
from multisite.api.state import policy, services
from multisite.jobs.view import Job

bp = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", tag="Jobs")

_PASSING = {"steps": {"__all__": {"elapsed"}}}


@bp.get("")
@bp.input(JobFilter, location="query", arg_name="query")
@bp.output(JobsOut)
def list_jobs(query: JobFilter) -> Any:
    """List the jobs of the project (administrators: of all), newest first, without their journals."""
    caller = policy().check("job:list")
    project = None if caller.is_admin else caller.project_id
    jobs = services().jobs.list(project_id=project, subject=query.subject)
    return {"jobs": [job for job in jobs if query.state in (None, job.state)][: query.limit]}


@bp.get("/<id>")
@bp.output(JobOut)
@bp.doc(responses={304: "Nothing changed since the ETag in If-None-Match"})
def show_job(id: str) -> Any:
    """Show a job, its steps and its journal."""
    job = JobOut.model_validate(_owned("job:show", id))
    answer: Response = jsonify(job.model_dump(mode="json"))
    content = job.model_dump_json(exclude=_PASSING)
    answer.set_etag(hashlib.sha256(content.encode()).hexdigest()[:32], weak=True)
    return answer.make_conditional(request)


@bp.post("/<id>/cancel")
@bp.output(JobStartedOut, status_code=202)
def cancel_job(id: str) -> Any:
    """Stop as soon as it is safe."""
    return _act("job:cancel", id)


@bp.post("/<id>/resume")
@bp.output(JobStartedOut, status_code=202)
def resume_job(id: str) -> Any:
    """Go on with a paused job; steps that are done are not done again."""
    return _act("job:resume", id)


@bp.post("/<id>/undo")
@bp.output(JobStartedOut, status_code=202)
def undo_job(id: str) -> Any:
    """Remove what a job made, last first."""
    return _act("job:undo", id)


def _act(rule: str, id: str) -> dict[str, str]:
    job = _owned(rule, id)
    caller = policy().check(rule, job.project_id)
    engine = services().jobs
    verbs = {"job:cancel": engine.cancel, "job:resume": engine.resume, "job:undo": engine.undo}
    verbs[rule](id, caller.user_name)
    return {"job_id": id}


def _owned(rule: str, id: str) -> Job:
    policy().check("job:list")
    job = services().jobs.get(id)
    policy().check_owned(rule, job.project_id or "", f"job: there is no job {id!r}")
    return job
