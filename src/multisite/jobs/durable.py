"""DBOS, the part of it we use: one workflow per run of a job, in its own database, recovered after a crash.

DBOS remembers which runs were started and not ended, and hands each to exactly one executor again.  What has
been done within a run is remembered in our own step rows (``records``): operators see them, and there
is one truth.  So no DBOS steps are used, and a new release may recover the runs of the one before.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import IO, Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from multisite.domain.errors import Conflict, Invalid
from multisite.jobs.lease import SoleOwner
from multisite.jobs.records import Records
from multisite.jobs.shared import CarryOut

log = logging.getLogger("multisite.jobs")

_SQLITE = sqlite3.sqlite_version_info
_carry_out: Callable[[str, int], Awaitable[None]] | None = None  # DBOS is one per process: so is the engine


@DBOS.workflow(name="multisite.job", max_recovery_attempts=None)
async def _job_run(job_id: str, run: int) -> None:
    if _carry_out is not None:
        await _carry_out(job_id, run)


class Durable:
    """DBOS with an event loop of its own; everything of the engine that is asynchronous runs in that loop."""

    def __init__(self, url: str, *, lock_path: Path | None, executor_id: str, worker: str) -> None:
        self._url = url
        self._lock_path = lock_path
        self._executor_id = executor_id
        self._lock: IO[str] | None = None
        self._ownership = SoleOwner(worker)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="multisite-jobs", daemon=True)

    def launch(self, carry_out: CarryOut) -> None:
        """Take the lock, start DBOS; runs that were pending are handed to ``carry_out`` within seconds."""
        global _carry_out
        if os.environ.get("DBOS__CLOUD") == "true":
            raise Invalid("DBOS__CLOUD is set: Multisite keeps its jobs to itself; unset it")
        if _carry_out is not None:
            raise Conflict("jobs: an engine is already running in this process")
        if self._url.startswith("sqlite") and sys.version_info >= (3, 12) and _SQLITE < (3, 42):
            raise Invalid(
                f"SQLite {sqlite3.sqlite_version}: DBOS on Python 3.12 or newer needs 3.42 or newer"
            )
        self._lock = _lock(self._lock_path)
        _carry_out = partial(self._one, carry_out)
        try:
            self._thread.start()
            # Launched inside our loop, DBOS adopts it for every workflow, new or recovered.
            self.call(self._launch())
        except BaseException:
            self.shutdown(idle=True)
            self.unlock()
            raise

    async def _one(self, carry_out: CarryOut, job_id: str, run: int) -> None:
        """What is abandoned never ends, so that DBOS keeps the run as pending: the next launch recovers it."""
        if not await carry_out(job_id, run, self._ownership):
            await asyncio.Event().wait()

    async def _launch(self) -> None:
        logger = logging.getLogger("dbos")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # or DBOS adds a console of its own
        config: DBOSConfig = {
            "name": "multisite",
            "system_database_url": self._url,
            "executor_id": self._executor_id,
            "application_version": "multisite-jobs-1",  # fixed: every release recovers what an older one left
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        if self._url.startswith("sqlite:///"):
            _write_ahead(Path(self._url.removeprefix("sqlite:///")))
        DBOS(config=config)
        DBOS.launch()

    def start(self, job_id: str, run: int) -> None:
        """Start the workflow of a run, once: a second start of the same run does nothing."""
        asyncio.run_coroutine_threadsafe(self._start(job_id, run), self.loop)

    async def _start(self, job_id: str, run: int) -> None:
        while True:
            try:
                with SetWorkflowID(f"{job_id}:{run}"):
                    await DBOS.start_workflow_async(_job_run, job_id, run)
                return
            except Exception:
                log.exception("job %s is accepted but could not be started; trying again", job_id)
                await asyncio.sleep(5)

    def recover(self, records: Records) -> None:
        """Start every unsettled job that DBOS does not carry on with by itself."""
        for job_id, run in records.unsettled():
            known = self._knows(job_id, run)
            wanted = records.next_run(job_id, run) if known == "ended" else run
            if known != "alive" and wanted is not None:
                log.info("job %s was accepted but nobody carries it out: starting it", job_id)
                self.start(job_id, wanted)

    def _knows(self, job_id: str, run: int) -> str:
        """Whether DBOS carries on with this run by itself: "alive", "ended" or "unknown"."""
        status = DBOS.get_workflow_status(f"{job_id}:{run}")
        if status is None:
            return "unknown"
        return "alive" if status.status in ("PENDING", "ENQUEUED", "DELAYED") else "ended"

    def call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def shutdown(self, *, idle: bool) -> None:  # noqa: ARG002 - the lock is kept until all steps have ended
        """Stop DBOS; runs that have not ended stay pending in its database: the next launch recovers them."""
        global _carry_out
        logging.getLogger("dbos").setLevel(logging.ERROR)  # it warns of every task it leaves for recovery
        if self._thread.is_alive():
            self.call(self._cancel_all())
        DBOS.destroy()
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(10)
        _carry_out = None

    def unlock(self) -> None:
        """Let another engine work on this database: not before the last step of this one has ended."""
        if self._lock is not None:
            self._lock.close()

    async def _cancel_all(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _lock(path: Path | None) -> IO[str] | None:
    """Two engines on one SQLite file would both carry out its jobs; the lock ends with the process."""
    if path is None:
        return None
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise Conflict(
            f"{path}: another process (pid {owner}) is carrying out the jobs of this database; stop it first"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _write_ahead(path: Path) -> None:
    """WAL stays set in the file: DBOS's readers and writers then do not wait for each other."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
