"""Is the database older than what was done with it?  Then nothing goes on until an operator has accepted it.

The counter of the database is raised, and its mark put into the backup store (``marks``), when a job is taken up,
before it is told that it rests, and every few seconds while something is changed in the sites.  A database that was
restored from an earlier backup does not know the newest mark: it is found at the start, with each new lease, before the
counter is raised, and every few seconds.

A store that does not answer stops nobody: the counter is then left as it is (else it would in time pass the mark that
tells), and raised when the store is back.  Until it has answered once, a process takes up no job that uses the store.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from multisite.domain.bounded import BoundedCalls, Overdue
from multisite.domain.errors import Conflict, MultisiteError
from multisite.domain.installation import Installation, Mark
from multisite.domain.manifest import ManifestError
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.marks import MarkStore
from multisite.store.database import Database
from multisite.store.failures import describe, is_transient
from multisite.store.installation import InstallationRepository

LOG = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two looks; while something is wrong, half a second."""
PATIENCE = 2.0
"""Seconds a job waits for the store; once it is known not to answer, none."""
COMMAND = "`multisite-manage db accept-restored`"
T = TypeVar("T")


class StaleDatabaseCheck:
    """One per process.  ``changes``: how many changes of sites this process has begun."""

    def __init__(
        self,
        database: Database,
        manifests: ManifestStore,
        changes: Callable[[], int] = lambda: 0,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._rows, self._marks = InstallationRepository(database), MarkStore(manifests)
        self._store, self._changes = BoundedCalls(patience), changes
        self._turn, self._counting = threading.Lock(), threading.Lock()
        self._asked = self._covered = 0  # calls of raise_mark, and those one of them was made for
        self._marked = changes()
        self._mine: Mark | None = None
        self._owed = self._verified = False
        self._stale: Installation | None = None
        self._unknown = self._away = self._told = ""
        self._ended, self._thread = threading.Event(), threading.Thread(target=self._keep, daemon=True)

    def check(self) -> None:
        """Compare the database with the store.  Raises what the database raises."""
        with self._turn:
            self._compare()
            self._tell()

    def start(self) -> None:
        """Compare them, and make up for what is owed to the store, every few seconds."""
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def raise_mark(self) -> None:
        """In the database, then in the store.  Calls at the same time share one."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._turn:
            if self._covered < mine:
                covers, changes = self._asked, self._changes()
                self._owed = True
                if self._compare() and self._raise():
                    self._owed, self._marked = False, changes
                self._covered = covers
                self._tell()

    def why_rest(self, *, uses_store: bool = False) -> str | None:
        """Why nothing may go on, with the remedy; None when it may."""
        if (stale := self._stale) is not None:
            return (
                f"database: its counter is {stale.counter} of {_moment(stale.at)}, the backup store knows of"
                f" {stale.ahead} of {_moment(stale.ahead_at)}: it was restored from a backup, or another process works"
                f" with a copy of it: no job goes on and nothing is changed until an operator has looked: {COMMAND}"
            )
        if unknown := self._unknown:
            return (
                f"database: whether it is older than what was done with it is unknown, so no job goes on: {unknown}:"
                f" restore that file from a copy of the store, or see {COMMAND}"
            )
        if uses_store and not self._verified:
            return (
                "database: whether it is older than what was done with it is unknown until the backup store answers:"
                f" {self._away or 'it was not asked yet'}"
            )
        return None

    def refuse_changes(self) -> None:
        """Conflict when nothing may be changed."""
        if why := self.why_rest():
            raise Conflict(why)

    def notices(self) -> list[str]:
        """For anybody: what is the matter, without numbers and paths."""
        if self._stale or self._unknown:
            older = (
                "older than what was done with it"
                if self._stale
                else "possibly older than what was done with it"
            )
            return [f"database: {older}: jobs rest, changes are refused: {COMMAND}"]
        return ["backup store: no answer: a restored database would not be noticed"] if self._away else []

    def accept(self, within: Callable[[Installation], object]) -> Installation:
        """The operator's word that the database counts as it is; StoreUnavailable.

        ``within`` the same transaction: what is committed with it.  Killed after that, the database is newer than the
        mark, as after any raise.
        """
        highest = self._marks.highest(self._rows.this().id)
        with self._database.session():
            accepted = self._rows.accept(highest)
            within(accepted)
        self._marks.write(accepted.mark)
        return accepted

    def _compare(self) -> bool:
        """Whether the store has answered, and the database knows its mark."""
        id = self._rows.this().id
        answered, mark = self._ask(lambda: self._marks.newest(id))
        known = self._rows.this()  # read after the mark: whoever made that had raised the counter before
        for newest in (mark, self._mine):
            if newest is not None and newest.installation_id == known.id and not known.knows(newest):
                known = self._rows.found_ahead(newest)
        self._stale = known if known.ahead is not None else None
        self._verified = self._verified or answered
        return answered and self._stale is None

    def _raise(self) -> bool:
        raised = self._rows.raise_counter(self._mine.counter if self._mine else 0)
        if raised is None:  # another process has found it stale
            return self._compare()
        self._mine = raised.mark
        answered, written = self._ask(lambda: self._marks.write(raised.mark))
        # Somebody else's mark of this number: of a copy of this database.
        return answered and (written is True or self._compare())

    def _ask(self, call: Callable[[], T]) -> tuple[bool, T | None]:
        """Whether the store has answered, and what."""
        try:
            found = self._store.call(call)
        except ManifestError as error:
            self._unknown, self._away = str(error), ""
        except (MultisiteError, Overdue) as error:
            self._away = str(error)
        else:
            self._unknown = self._away = ""
            return True, found
        return False, None

    def _tell(self) -> None:
        """Into the log when it is another matter than before."""
        notices = "; ".join(self.notices())
        if notices == self._told:
            return
        self._told = notices
        if why := self.why_rest():
            LOG.error(why)
        elif notices:
            LOG.warning("%s: %s", notices, self._away)
        else:
            LOG.info("database and backup store agree again on how new the database is")

    def _keep(self) -> None:
        while not self._ended.wait(SECONDS / 10 if self._told or self._owed else SECONDS):
            try:
                if self._owed or self._changes() != self._marked:
                    self.raise_mark()
                else:
                    self.check()
            except Exception as error:
                if not is_transient(error):
                    LOG.exception(
                        "the database could not be compared with the backup store; it is tried again"
                    )
                LOG.debug("the database could not be compared with the backup store: %s", describe(error))


def _moment(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else "an unknown time"
