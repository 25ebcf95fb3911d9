"""Jobs of a database that was restored from a backup: what an operator decides of them before they go on."""

from __future__ import annotations

from multisite.domain.errors import Conflict
from multisite.jobs.model import JobState
from multisite.jobs.records import ENGINE, Claim, Records
from multisite.jobs.view import Job
from multisite.store import jobs as rows
from multisite.store.database import Database

AT_WORK = (JobState.QUEUED, JobState.RUNNING, JobState.UNDOING)
SET_ASIDE = "set aside: the database was restored from a backup"
DOUBT = "the database was restored from a backup: what is open of the job may have been done already"


class RestoredJobs:
    """Nobody is at work on them meanwhile: every process rests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records = Records(database)

    def at_work(self) -> list[Job]:
        """Those that would go on, oldest first, with their steps."""
        found = [job for job in self._records.list(settled=False) if job.state in AT_WORK]
        return [self._records.get(job.id) for job in found[::-1]]

    def cancel(self, job_id: str, by: str) -> None:
        """It begins no more steps; its kind's policy decides.  Conflict, NotFound."""
        self._records.cancel(job_id, by)

    def set_aside(self, job_id: str, by: str) -> None:
        """Paused (or ``undo_failed``), to be resumed or undone later.  Conflict when it is at rest; NotFound."""
        with self._database.session() as session:
            row = rows.job(session, job_id, lock=True)
            if row.state not in AT_WORK:
                raise Conflict(f"job: {job_id} is {row.state}: it rests already")
            row.epoch += 1  # whoever had it
            claim = Claim(row.id, row.epoch, row.kind, {}, JobState(row.state))
            self._records.give_up(claim, f"{SET_ASIDE} (by {by}): resume or undo it")

    def doubt_open_steps(self) -> None:
        """Steps that are open here may have been run: each looks for what it made, and an undo leaves none out."""
        with self._database.session() as session:
            for job_id in rows.doubt_open_steps(session):
                rows.note(session, job_id, ENGINE, DOUBT, None, {})
