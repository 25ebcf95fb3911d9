"""The job engine's contract in a few lines and one thread, with deaths at every boundary, for tests of many histories.

Steps run in order, a DONE step never again, RUNNING is noted before and DONE after; when all are done the job may
grow by more (``JobKind.grow``); on failure the kind's policy.
A death (``die_at``: before the n-th request to a site or change of a record) leaves everything as it is; ``rest``
goes on from there as a new process would.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from multisite.domain import fence
from multisite.domain.errors import Conflict, MultisiteError
from multisite.jobs.model import Ended, JobKind, JobState, Step
from multisite.jobs.values import decode, plain, plain_object
from multisite.store.database import Database
from multisite.store.models import JobRow
from multisite.store.types import now


class Death(BaseException):
    """kill -9."""


@dataclass
class Boundaries:
    """Counts boundaries; dies at one.  ``left`` None: lives on."""

    left: int | None = None

    def check(self) -> None:
        if self.left is None:
            return
        if self.left <= 0:
            raise Death
        self.left -= 1

    def waits(self, why: str) -> None:
        pass


@dataclass
class Memo:
    state: str = "waiting"
    result: Any = None
    attempt: int = 0
    error: str = ""


@dataclass
class TinyJob:
    id: str
    kind: JobKind
    params: Mapping[str, Any]
    title: str
    by: str
    state: JobState = JobState.QUEUED
    settled: bool = False
    error: str | None = None
    memos: dict[str, Memo] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    project_id: str | None = None
    subject: str | None = None

    @property
    def ended(self) -> Ended:
        return Ended(self.id, self.state, self.error, self.params)

    def result_of(self, step: str, kind: Any = object) -> Any:
        return decode(self.memos[step].result, kind, step)


class TinyEngine:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.kinds: dict[str, JobKind] = {}
        self.jobs: dict[str, TinyJob] = {}
        self.boundaries = Boundaries()
        self.died = False
        """Whether the last ``rest`` ended in a death."""
        self.last_left: int | None = None
        """Of the last ``rest`` that could have died: how many more boundaries it would have taken."""

    def register(self, kind: JobKind) -> None:
        self.kinds[kind.name] = kind

    def start(
        self, kind: str, params: Mapping[str, Any], *, title: str, requested_by: str, **more: Any
    ) -> str:
        id, params = str(uuid.uuid4()), plain_object(params, "params")
        self.jobs[id] = TinyJob(
            id,
            self.kinds[kind],
            params,
            title,
            requested_by,
            project_id=more["project_id"],
            subject=more.get("subject"),
        )
        row = JobRow(
            id=id, kind=kind, title=title, state=JobState.QUEUED, params=params, requested_by=requested_by, run=1,
            epoch=0, intent="run", cancel_requested=False, settled=False, created_at=now(),
        )  # fmt: skip
        with self.database.session() as session:
            session.add(row)
            session.flush()
        return id

    def get(self, id: str) -> TinyJob:
        return self.jobs[id]

    def list(
        self, project_id: str | None = None, *, subject: str | None = None, settled: bool | None = None
    ) -> builtins.list[TinyJob]:
        found = [job for job in self.jobs.values() if subject in (None, job.subject)]
        return [job for job in found if settled in (None, job.settled)]

    def claim(self, subject: str, what: str) -> None:
        self.database.advisory_lock(f"subject {subject}")
        for job in self.list(subject=subject):
            if not job.settled:
                raise Conflict(f"{what}: job {job.id} ({job.title}) is at work on it")

    def resume(self, id: str, _by: str) -> None:
        assert self.jobs[id].state is JobState.PAUSED
        self.jobs[id].state = JobState.RUNNING
        self._settled(id, False)

    def undo(self, id: str, _by: str) -> None:
        self.jobs[id].state = JobState.UNDOING
        self._settled(id, False)

    def rest(self, id: str, die_at: int | None = None) -> TinyJob:
        """Carry it out until it rests, or dies: ``died`` tells."""
        job = self.jobs[id]
        self.boundaries.left, self.died = die_at, False
        try:
            with fence.around(self.boundaries):
                self._carry_out(job)
        except Death:
            self.died = True
        finally:
            self.last_left, self.boundaries.left = self.boundaries.left, None
        return job

    def unsettled(self) -> builtins.list[str]:
        return [job.id for job in self.jobs.values() if not job.settled]

    def _carry_out(self, job: TinyJob) -> None:
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            job.state = JobState.RUNNING
            done = self._run_all(job)
            if done:
                job.state = JobState.DONE
            else:
                job.state = JobState.UNDOING if job.kind.on_failure == "undo" else JobState.PAUSED
        steps = job.kind.build(job.params)
        if job.state is JobState.UNDOING:
            undone = all(self._undo(job, step) for step in reversed(steps)) and not self._left(job, steps)
            job.state = JobState.UNDONE if undone else JobState.UNDO_FAILED
        if job.kind.finished is not None:
            job.kind.finished(job.ended)
        if job.kind.outcome is not None:
            job.kind.outcome.apply(job.ended)
        self._settled(job.id, True)

    def _run_all(self, job: TinyJob) -> bool:
        """Whether all steps are done, and those the job grew by."""
        while all(self._run(job, step) for step in job.kind.build(job.params)):
            if job.kind.grow is None:
                return True
            grown = job.kind.grow(
                job.params, lambda step: job.memos[step].result if step in job.memos else None
            )
            if grown is None:
                return True
            self.boundaries.check()
            job.params = plain_object(grown, "params")
        return False

    def _run(self, job: TinyJob, step: Step) -> bool:
        memo = job.memos.setdefault(step.name, Memo())
        if memo.state == "done":
            return True
        ctx = self._context(job, step, memo)
        try:
            memo.result = plain(step.run(ctx), step.name)
        except Exception as error:
            memo.state, memo.error, job.error = "failed", str(error), f"{step.name}: {error}"
            return False
        memo.state = "done"
        return True

    def _undo(self, job: TinyJob, step: Step) -> bool:
        memo = job.memos.setdefault(step.name, Memo())
        if memo.state in ("waiting", "undone") or step.undo is None:
            return True
        known = memo.result if memo.state == "done" else memo.result if memo.state == "undoing" else None
        if known is not None and step.result is not None:
            known = decode(known, step.result, step.name)
        memo.state = "undoing" if memo.state in ("done", "undoing") else memo.state
        try:
            step.undo(self._context(job, step, memo, keep=True), known)
        except Exception as error:
            job.error = f"undo of {step.name}: {error}"
            return False
        memo.state = "undone"
        return True

    def _left(self, job: TinyJob, steps: builtins.list[Step]) -> bool:
        """Whether something is, or that is not known; its steps are undone again the next time."""
        begun = {s.name: s.site for s in steps if s.site and s.undo and job.memos[s.name].attempt}
        try:
            found = job.kind.left(job.id, job.project_id or "", begun) if job.kind.left else ()
        except MultisiteError as error:
            found = [("", str(error))]
        for step, words in found:
            job.error = words
            if step:
                job.memos[step].state = "failed"
        return bool(found)

    def _context(self, job: TinyJob, step: Step, memo: Memo, *, keep: bool = False) -> Any:
        interrupted = memo.state == "running"
        if not keep:
            memo.state = "running"
        memo.attempt += 1
        self.boundaries.check()
        say: Callable[..., None] = lambda message, **_data: job.events.append(message)  # noqa: E731
        return SimpleNamespace(
            job_id=job.id, project_id=job.project_id or "", step=step.name, token=f"multisite:{job.id}:{step.name}",
            attempt=memo.attempt, interrupted=interrupted, result_of=job.result_of, progress=lambda *_a, **_k: None,
            event=say, cancelled=lambda: False,
        )  # fmt: skip

    def _settled(self, id: str, settled: bool) -> None:
        self.jobs[id].settled = settled
        with self.database.session() as session:
            row = session.get(JobRow, id)
            assert row is not None
            row.settled = settled
