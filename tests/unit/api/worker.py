"""Carries out accepted jobs in the thread that asks for it, by the services' own steps at the simulated sites."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from multisite.command.wiring import Services
from multisite.domain import work
from multisite.domain.work import Work
from multisite.jobs.model import JobState, StepState
from multisite.jobs.view import Job
from multisite.store.models import JobRow
from tests.sim.tiny_engine import TinyEngine, TinyJob

from .jobs import keep


class Worker:
    """``known``: what was carried out: a job that is undone asks what its steps told."""

    def __init__(self, services: Services, known: dict[str, TinyJob]) -> None:
        self._services = services
        self._engine = TinyEngine(services.database)
        self._engine.kinds = services.jobs._kinds
        self._engine.jobs = {
            id: replace(job, memos={step: replace(memo) for step, memo in job.memos.items()})
            for id, job in known.items()
        }

    @property
    def known(self) -> dict[str, TinyJob]:
        return self._engine.jobs

    def carry_out(self, job_id: str) -> Job:
        """The job, at rest."""
        accepted = self._services.jobs.get(job_id)
        tiny = self._engine.jobs.setdefault(job_id, self._accepted(accepted))
        tiny.state, tiny.settled = accepted.state, False
        whose = Work(
            accepted.requested_by, accepted.project_id, accepted.request_id, job_id, accepted.subject
        )
        with work.doing(whose):
            self._engine.rest(job_id)
        at = datetime.now(UTC)
        steps = tuple(
            replace(step, state=StepState(tiny.memos[step.name].state), started_at=at, ended_at=at)
            if step.name in tiny.memos
            else step
            for step in accepted.steps
        )
        ended = replace(accepted, state=tiny.state, settled=True, error=tiny.error, steps=steps, ended_at=at)
        keep(self._services.database, ended)
        return ended

    def done(self, job_id: str | None) -> Job:
        """As ``carry_out``; the job has to succeed."""
        ended = self.carry_out(str(job_id))
        assert ended.state == JobState.DONE, ended.error
        return ended

    def _accepted(self, job: Job) -> TinyJob:
        with self._services.database.session() as session:
            params = session.get_one(JobRow, job.id).params
        kind = self._engine.kinds[job.kind]
        return TinyJob(
            job.id, kind, params, job.title, job.requested_by, JobState(job.state), project_id=job.project_id,
            subject=job.subject,
        )  # fmt: skip
