"""The audit trail as it is written: the intent before a change goes out, its ending soon after the answer.

One transaction per change is waited for, the intent's.  Endings are collected and written by a thread, a few
times a second; a crash in between leaves the intent alone, which says truthfully that the outcome was not
noted.  Both go to the structured log at once, under ``multisite.audit``.

While servers stand still (``work.in_a_hurry``), and in a thread that has a transaction open, the intent too is
left to that thread: nothing frozen may wait for a disk.  The line in the log is written before the request
all the same, and survives a killed process.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict
from typing import Any

from multisite.domain import work
from multisite.domain.audit import AuditKind, AuditOutcome, AuditRecord, Ending, Intent
from multisite.domain.caller import Caller
from multisite.store.audit import AuditRepository
from multisite.store.database import Database

LOG = logging.getLogger("multisite.audit")

FLUSH_SECONDS = 0.2
"""How long an ending may wait for others to be written with."""


class AuditTrail:
    """One per process.  ``close`` writes what is left."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = AuditRepository(database)
        self._intents: list[Intent] = []
        self._endings: list[Ending] = []
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.changes = 0
        """Of sites, begun by this process."""

    def begin(self, intent: Intent) -> None:
        """Record what is about to be changed; raises what the database raises, and then it must not be."""
        self.changes += intent.kind is AuditKind.CLOUD
        _log("intended", asdict(intent))
        if work.hurried() or self._database.in_session:
            self._leave(intent=intent)
        else:
            self._rows.add([intent])

    def finish(self, ending: Ending) -> None:
        """Record what came of it; soon, and never an error."""
        _log(ending.outcome.value, asdict(ending))
        self._leave(ending=ending)

    def record(self, intent: Intent, ending: Ending) -> None:
        """Both at once, in the transaction this thread has open: they are kept if it is."""
        self._rows.add([intent], [ending])
        self._database.after_commit(lambda: _log(ending.outcome.value, asdict(intent) | asdict(ending)))

    def approved(
        self, caller: Caller, action: str, path: str, *, project_id: str, job_id: str, subject: str, site: str,
        resource_id: str,
    ) -> None:  # fmt: skip
        """Record who vouched for what, in the open transaction; ``path``: the request's, as in the API document."""
        intent = Intent(
            kind=AuditKind.APPROVAL, user=caller.user_name, user_id=caller.user_id, project_id=project_id,
            request_id=caller.request_id, job_id=job_id, subject=subject, site=site, method="POST", path=path,
            action=action, resource_id=resource_id,
        )  # fmt: skip
        self.record(intent, Ending(intent.key, AuditOutcome.DONE))

    def list(self, project_id: str | None = None, **filters: Any) -> list[AuditRecord]:
        """See ``AuditRepository.list``; includes what this process has left to write."""
        self.flush()
        return self._rows.list(project_id, **filters)

    def flush(self) -> None:
        """Write what is left to write; what cannot be is kept, and tried again."""
        with self._writing:
            with self._guard:
                intents, self._intents = self._intents, []
                endings, self._endings = self._endings, []
            if not intents and not endings:
                return
            try:
                self._rows.add(intents, endings)
            except Exception:
                with self._guard:
                    self._intents[:0], self._endings[:0] = intents, endings
                LOG.exception(
                    "%d lines of the audit trail could not be written yet", len(intents) + len(endings)
                )

    def close(self) -> None:
        """Write what is left and stop."""
        self._closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)
        self.flush()

    def _leave(self, *, intent: Intent | None = None, ending: Ending | None = None) -> None:
        with self._guard:
            if intent is not None:
                self._intents.append(intent)
            if ending is not None:
                self._endings.append(ending)
            if self._thread is None:  # not before: gunicorn forks, and threads do not survive that
                self._thread = threading.Thread(target=self._write, name="multisite-audit", daemon=True)
                self._thread.start()
        self._wake.set()

    def _write(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            self._closed.wait(FLUSH_SECONDS)
            self._wake.clear()
            self.flush()
            if self._intents or self._endings:
                self._wake.set()


def _log(outcome: str, values: dict[str, Any]) -> None:
    shown = {
        name: value for name, value in values.items() if value is not None and name not in ("at", "ended_at")
    }
    LOG.info("audit: %s", outcome, extra={"audit": shown | {"outcome": outcome}})
