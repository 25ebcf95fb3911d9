"""What a running step sees of the engine, and the progress it reports."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import update

from multisite.jobs.lease import Ownership
from multisite.jobs.model import Json, NoResult, StepState
from multisite.jobs.records import Begun, Claim, Records
from multisite.jobs.retry import retry_until_database_available
from multisite.jobs.values import TEXT_LIMIT, decode, plain_object, text
from multisite.store.database import Database
from multisite.store.models import StepRow

log = logging.getLogger("multisite.jobs")

T = TypeVar("T")
FLUSH_SECONDS = 0.25


class ProgressBoard:
    """The latest progress of each running step, written by one thread, four times a second, while there is any.

    Steps only touch memory: a slow disk or a busy database never slows the work that is being reported.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._fresh: dict[tuple[str, str, int], dict[str, Any]] = {}
        self._writing = False

    def report(self, claim: Claim, step: str, **values: Any) -> None:
        with self._lock:
            self._fresh.setdefault((claim.job_id, step, claim.epoch), {}).update(values)
            if not self._writing:
                self._writing = True
                threading.Thread(target=self._write, name="multisite-progress", daemon=True).start()

    def take(self, claim: Claim, step: str) -> dict[str, Any] | None:
        """The last report if it is not written yet: the step's end writes it."""
        with self._lock:
            return self._fresh.pop((claim.job_id, step, claim.epoch), None)

    def _write(self) -> None:
        while True:
            with self._lock:
                fresh, self._fresh = self._fresh, {}
                self._writing = bool(fresh)
            if not fresh:
                return
            try:
                with self._database.session() as session:
                    for (job_id, name, epoch), values in fresh.items():
                        running = StepRow.state.in_([StepState.RUNNING, StepState.UNDOING])
                        # Of an owner who has lost the job it is void, as all he writes.
                        mine = (StepRow.job_id == job_id, StepRow.name == name, StepRow.epoch == epoch)
                        session.execute(update(StepRow).where(*mine, running).values(**values))
            except Exception:
                log.warning("progress of %d steps could not be written", len(fresh), exc_info=True)
            time.sleep(FLUSH_SECONDS)


@dataclass(frozen=True)
class RunContext:
    """What the contexts of one run share."""

    records: Records
    board: ProgressBoard
    claim: Claim
    ownership: Ownership
    go_on: Callable[[], None]
    """Raises Abandoned when the worker is stopping or the lease is lost."""
    cancelled: Callable[[], bool]
    """Whether an operator wants this run stopped."""
    not_stale: Callable[[], None] = lambda: None
    """Raises Abandoned when the database is older than what was done with it."""

    def retry(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call it until the database is available."""
        return retry_until_database_available(self.go_on, call, *args, **kwargs)


class Context:
    """The engine's StepContext, and the fence around the step."""

    def __init__(
        self,
        around: RunContext,
        step: str,
        begun: Begun,
        known: Callable[[], frozenset[str]],
        undoing: bool,
    ) -> None:
        self.job_id = around.claim.job_id
        self.step = step
        self.token = f"multisite:{self.job_id}:{step}"
        self.project_id = around.claim.work.project_id or ""
        self.attempt = begun.attempt
        self.interrupted = begun.interrupted
        self.epoch = around.claim.epoch
        self._around = around
        self._known = known
        self._undoing = undoing

    def result_of(self, step: str, kind: type[T]) -> T:
        """Only of steps this one needs, directly or not: others may or may not have run."""
        if step not in self._known():
            raise LookupError(f"step {self.step!r} does not need {step!r}: its result is not available")
        stored = self._around.retry(self._around.records.result, self.job_id, step)
        if stored is None:
            raise NoResult(f"step {step} has no result: it is not known what it made")
        return decode(stored, kind, f"result of step {step}")

    def progress(self, done: float, total: float | None = None, unit: str = "", detail: str = "") -> None:
        self._around.go_on()
        whole = None if total is None else float(total)
        words = {"unit": text(unit, "progress"), "detail": text(detail, "progress")}
        self._around.board.report(
            self._around.claim, self.step, waits="", done=float(done), total=whole, **words
        )

    def event(self, message: str, **data: Json) -> None:
        message, data = text(message, "event"), plain_object(data, "event")
        try:
            self._around.retry(self._around.records.event, self._around.claim, message, self.step, data)
        except Exception:  # a line that is lost must not fail the work it tells of
            log.exception("job %s: step %s: journal line lost: %s", self.job_id, self.step, message)

    def cancelled(self) -> bool:
        """False while undoing: what is being undone must not stop half-way because the run was cancelled."""
        self._around.go_on()
        return not self._undoing and self._around.cancelled()

    def check(self) -> None:
        """Before an outside call: the worker still has the job, of a database that is not stale.

        See ``domain.fence``.
        """
        self._around.ownership.check()
        self._around.not_stale()

    def waits(self, why: str) -> None:
        """Shown to operators beside the step."""
        self._around.board.report(self._around.claim, self.step, waits=why[:TEXT_LIMIT])
