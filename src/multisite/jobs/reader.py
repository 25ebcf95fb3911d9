"""What is told of jobs; nothing here changes one."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.domain.errors import NotFound
from multisite.domain.page import ALL, Page
from multisite.jobs.model import JobState, Json
from multisite.jobs.view import Job, job_view
from multisite.store import jobs as rows
from multisite.store.database import Database


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
            return job_view(row, rows.steps(session, [job_id])[job_id], rows.journal(session, job_id))

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
            return [job_view(row) for row in found]

    def states(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """Of those that there are, by id."""
        with self.database.session(read_only=True) as session:
            return {id: JobState(state) for id, state in rows.states(session, job_ids).items()}

    def result(self, job_id: str, name: str) -> Json:
        """The stored result of a step."""
        with self.database.session(read_only=True) as session:
            stored: Json = rows.step(session, job_id, name).result
            return stored
