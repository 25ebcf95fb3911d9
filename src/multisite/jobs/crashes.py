"""Which of the jobs it carries out kills the process?  Only that one is set aside; called in a session of ``Records``.

``claims`` of a job's row: the processes that carried it out since a step of it ended or somebody gave an order.  A
process that dies speaks against every job it had; Oban (``max_attempts``) and Sidekiq's super_fetch (3 recoveries) drop
all of them.  Here a job whose processes have died ``MAX_CRASHES`` times beside other jobs is a suspect: it waits for a
turn of its own, counted when that begins; only one that kills the process in its turn, or was alone, is set aside.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from multisite.store import jobs as rows
from multisite.store.models import JobRow

MAX_CRASHES = 2
"""So many processes may die with a job, without a step of it ending between, before it is suspected."""


@dataclass(frozen=True)
class Crashes:
    """Processes that had a job before, one after the other, and died before any step of it ended."""

    count: int = 0
    alone: bool = False
    """No other job can have been the cause of the last one."""

    @property
    def suspect(self) -> bool:
        return self.count >= MAX_CRASHES and not self.alone

    @property
    def culprit(self) -> bool:
        return self.count >= MAX_CRASHES and self.alone


def take_up(session: Session, row: JobRow, owner: str) -> Crashes:
    """A process takes a job up under DBOS's token; a suspect is not counted before its turn (``begin_turn``)."""
    if row.owner == owner:  # the process that has it already, after trouble of its own
        return Crashes(row.claims - 1)
    before = row.claims
    if before < MAX_CRASHES:
        begin_turn(row, owner)
        return Crashes(before)
    return Crashes(before, before > MAX_CRASHES or not rows.others_taken_up(session, row.id))


def begin_turn(row: JobRow, owner: str) -> None:
    """From here on, the death of this process counts against the job."""
    if row.owner != owner:
        row.owner, row.claims = owner, row.claims + 1


def set_aside(session: Session, row: JobRow) -> None:
    """The cause is found: what has been counted against others no longer counts."""
    rows.clear_others(session, row.id)
