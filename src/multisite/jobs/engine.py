"""The job engine: what the services call.  See docs/architecture.md, "Jobs"."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from multisite.domain import work
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.fence import FencedThreads
from multisite.domain.page import Page
from multisite.jobs import dbos_calls, graph
from multisite.jobs.context import ProgressBoard, RunContext
from multisite.jobs.executor import Executor, Sharing
from multisite.jobs.lease import Ownership
from multisite.jobs.limits import Limits
from multisite.jobs.model import JobKind, JobState, Json
from multisite.jobs.records import Abandoned, Claim, Records
from multisite.jobs.retry import retry_until_database_available
from multisite.jobs.runner import Runner
from multisite.jobs.staleness import NeverStale, Staleness
from multisite.jobs.values import plain_object, text
from multisite.jobs.view import Job
from multisite.store.database import Database
from multisite.store.models import JobRow
from multisite.store.types import now

log = logging.getLogger("multisite.jobs")

T = TypeVar("T")
STEPS_AT_ONCE = 64
RETRY_SECONDS = (1.0, 60.0)
REST_SECONDS = 0.5
_OVER = ("stopping", "stopped")


class JobEngine:
    """Accepts jobs, carries them out durably, answers about them.  One per process.

    On SQLite this process is the only one; on a database server it shares the jobs with others.  ``sharing``:
    how it does that, and under which name operators see it.  ``staleness``: says when no job may go on.
    """

    def __init__(
        self, database: Database, sharing: Sharing | None = None, staleness: Staleness | None = None
    ) -> None:
        dbos_calls.migrate(database)
        self._database = database
        self._records = Records(database)
        records = self._records  # which is all of these verbs
        self.claim, self.cancel = records.claim_subject, records.cancel
        self.resume = records.resume
        self.get, self.list, self.states = records.get, records.list, records.states
        self.result = records.result
        self._staleness = staleness or NeverStale()
        self._executor = Executor(
            database, sharing or Sharing(), records, self._carry_out, self._staleness.check
        )
        self._kinds: dict[str, JobKind] = {}
        self._limits = Limits(database)
        self._state = "new"
        self._running: set[Future[Any]] = set()  # calls in the pools
        self._steps = FencedThreads(STEPS_AT_ONCE, "multisite-step")
        self._bookkeeping = FencedThreads(8, "multisite-record")
        # Of their own: a slow store holds up nobody else.
        self._marks = FencedThreads(16, "multisite-mark")
        self._board = ProgressBoard(database)

    # Lifecycle

    def register(self, kind: JobKind) -> None:
        """Make a kind of job known, before launch.  Its limits are shared with all kinds that name them: ``Limits``."""
        if kind.name in self._kinds:
            raise Invalid(f"job kind {kind.name!r} is registered twice")
        for name, count in kind.limits.items():
            if not self._limits.set(name, count):
                raise Invalid(f"limit {name!r} of job kind {kind.name!r}: {count} is below 1 or disputed")
        self._kinds[kind.name] = kind

    def launch(self) -> None:
        """Begin to work, first of all on what was left unfinished.  The database must be upgraded already."""
        if self._state != "new":
            raise Conflict("jobs: an engine is launched once; make a new one")
        self._records.list(page=Page(1))  # fails here when the database was not upgraded: nothing runs yet
        self._staleness.check()
        self._executor.launch()
        self._staleness.start()
        self._state = "running"

    def shutdown(self, timeout: float = 10.0) -> None:
        """Begin no more steps, let those running end or notice it, stop.  The next launch carries on."""
        if self._state == "running":
            self._state = "stopping"
            self._executor.note_orderly_stop()
            deadline = time.monotonic() + timeout
            while self._running and (left := deadline - time.monotonic()) > 0:
                wait(self._running.copy(), left)
            self._executor.shutdown(idle=not self._running)
        self._state = "stopped"
        self._staleness.stop()
        if self._running:
            log.warning("%d steps still run: the database stays locked until they end", len(self._running))
        self._unlock_when_idle()
        self._steps.shutdown(wait=False, cancel_futures=True)
        self._bookkeeping.shutdown(wait=False, cancel_futures=True)
        self._marks.shutdown(wait=False, cancel_futures=True)

    def rule_of(self, kind: str) -> str:
        """The policy's rule for working on jobs of a kind; "" for administrators only, and a kind not known here."""
        return self._kinds[kind].rule if kind in self._kinds else ""

    # Verbs

    def start(
        self,
        kind: str,
        params: object,
        *,
        title: str,
        project_id: str | None,
        requested_by: str,
        request_id: str | None = None,
        subject: str | None = None,
    ) -> str:
        """Accept a job; it is durable when this returns.  ``params``: a mapping or a dataclass (``values.plain``).

        Inside ``with database.session():`` it is accepted, and started, when that transaction commits: rows
        that name the job can be written with it, all or nothing.
        """
        known = self._kind(kind)
        kept = plain_object(params, "params")
        steps = known.build(kept)
        graph.ordered(steps)
        row = JobRow(
            id=str(uuid.uuid4()), kind=kind, title=text(title, "title"), state=JobState.QUEUED, params=kept,
            project_id=project_id, subject=subject, requested_by=requested_by, request_id=request_id,
            run=1, epoch=0, intent="run", cancel_requested=False, settled=False, created_at=now(),
        )  # fmt: skip
        self._records.create(row, steps)
        return row.id

    def undo(self, job_id: str, by: str) -> None:
        """Remove what the job made, last first.  Conflict while it runs, and when its kind refuses."""
        with self._database.session():
            kind = self._kinds.get(self.get(job_id).kind)
            if kind is not None and kind.before_undo is not None:
                kind.before_undo(job_id)
            self._records.undo(job_id, by)

    def wait(self, job_id: str, timeout: float) -> Job:
        """The job once it is settled and this process done with it, or as it is when the time is over."""
        deadline, pause = time.monotonic() + timeout, 0.01
        while not (job := self.get(job_id)).settled or self._executor.has(job_id):
            if time.monotonic() >= deadline:
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 0.2)
        return job

    # The runner's side (see runner.Worker)

    async def raise_mark(self, go_on: Callable[[], None]) -> None:
        raised = self._staleness.raise_mark
        await self._in(self._marks, retry_until_database_available, go_on, raised)
        go_on()  # it has compared first

    async def work(self, call: Callable[..., T], *args: Any) -> T:
        return await self._in(self._steps, call, *args)

    async def record(self, call: Callable[..., T], *args: Any) -> T:
        return await self._in(self._bookkeeping, call, *args)

    async def _in(self, pool: FencedThreads, call: Callable[..., T], *args: Any) -> T:
        future = pool.submit(call, *args)  # in this task's context, so that log lines tell whose work it is
        self._running.add(future)
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    def limit(self, name: str | None, step: str, around: RunContext) -> AbstractAsyncContextManager[None]:
        if name is None:
            return nullcontext()
        return self._limits.hold(name, step, around, partial(self.record, around.retry))

    async def _carry_out(self, job_id: str, run: int, ownership: Ownership, owner: str) -> bool:
        """One run of a job, until it is at rest.  Whatever goes wrong around the steps is tried again.

        ``owner``: DBOS's token for this taking of it.  False when the worker stops or has lost its lease, and
        somebody has to carry on.
        """
        pause, go_on = RETRY_SECONDS[0], partial(self._go_on, ownership)
        while True:
            try:
                await self._rest_while_stale(job_id, ownership)
                await self.raise_mark(go_on)
                become = partial(self._records.claim, job_id, run, ownership.worker, owner)
                claim = await self.record(retry_until_database_available, go_on, become)
                if claim is not None:
                    work.begin(claim.work)  # this task is of this run alone
                    await self._runner(claim, run, ownership).carry_out()
                return True
            except NotFound:
                return True  # not in this database
            except Abandoned:  # by us, or because somebody else carries it out
                if self._state in _OVER or ownership.lost:
                    return False
                if self._staleness.why_rest() is None:
                    return True
            except Exception:
                log.exception("job %s: interrupted by the engine's own trouble; trying again", job_id)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])

    async def _rest_while_stale(self, job_id: str, ownership: Ownership) -> None:
        """A job that uses the store waits for its answer besides."""
        while self._staleness.why_rest(uses_store=True) is not None:
            self._go_on_or_stop(ownership)
            if self._staleness.why_rest() is None:
                job = await self.record(self._records.get, job_id)
                if job.kind not in self._kinds or not self._kinds[job.kind].uses_store:
                    return
            await asyncio.sleep(REST_SECONDS)

    def _runner(self, claim: Claim, run: int, ownership: Ownership) -> Runner:
        def cancelled() -> bool:
            return (claim.job_id, run) in self._executor.cancelled

        go_on = partial(self._go_on, ownership)
        around = RunContext(self._records, self._board, claim, ownership, go_on, cancelled, self._not_stale)
        return Runner(self, self._kinds.get(claim.kind) or _unknown(claim.kind), around)

    def _go_on(self, ownership: Ownership) -> None:
        self._go_on_or_stop(ownership)
        self._not_stale()

    def _not_stale(self) -> None:
        if why := self._staleness.why_rest():
            raise Abandoned(why)

    def _go_on_or_stop(self, ownership: Ownership) -> None:
        if self._state in _OVER:
            raise Abandoned("the worker is stopping")
        if ownership.lost:
            raise Abandoned(f"worker {ownership.worker} has lost its lease")

    def _kind(self, name: str) -> JobKind:
        if name not in self._kinds:
            raise Invalid(f"kind: {name!r} is not a kind of job of this release")
        return self._kinds[name]

    def _ended(self, call: Future[Any]) -> None:
        self._running.discard(call)
        self._unlock_when_idle()

    def _unlock_when_idle(self) -> None:
        if self._state == "stopped" and not self._running:
            self._executor.unlock()


def _unknown(name: str) -> JobKind:
    def build(_params: Mapping[str, Json]) -> Any:
        raise Invalid(f"{name!r} is not a kind of job of this release")

    return JobKind(name, build, on_failure="pause")
