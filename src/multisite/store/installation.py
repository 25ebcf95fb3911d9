"""The row that says how new the database is.  What follows from it: ``recovery/staleness.py``."""

from __future__ import annotations

import uuid
from dataclasses import replace

from multisite.domain.installation import Installation, Mark
from multisite.store.models import InstallationRow
from multisite.store.repository import Repository
from multisite.store.types import now


class InstallationRepository(Repository[Installation, InstallationRow]):
    """One row.  Raises what the database raises."""

    row_type, item_type, noun = InstallationRow, Installation, "installation"

    def this(self) -> Installation:
        """With a new id when nobody has asked before."""
        if found := self._select():
            return found[0]
        with self._database.session() as session:
            self._database.advisory_lock(self.noun)
            if found := self._select():
                return found[0]
            session.add(self._new_row(made := Installation(str(uuid.uuid4()), 0, "", now())))
            return made

    def raise_counter(self, least: int) -> Installation | None:
        """By one; None when it is lower than ``least`` by now, or a mark ahead of it was found."""

        def how(known: Installation) -> Installation:
            return known if known.ahead is not None or known.counter < least else _raised(known)

        raised = self.change(self.this().id, how)
        return None if raised.ahead is not None or raised.counter < least else raised

    def found_ahead(self, mark: Mark) -> Installation:
        """Note a mark this database does not know; kept until ``accept``, whatever becomes of the mark."""

        def how(known: Installation) -> Installation:
            if known.knows(mark) or (known.ahead or 0) >= mark.counter:
                return known
            return replace(known, ahead=mark.counter, ahead_at=mark.at)

        return self.change(self.this().id, how)

    def accept(self, highest: int) -> Installation:
        """The database counts as it is: its counter goes above ``highest``, and above any mark that was found."""

        def how(known: Installation) -> Installation:
            least = max(known.counter, known.ahead or 0, highest)
            return replace(_raised(known, least), ahead=None, ahead_at=None)

        return self.change(self.this().id, how)


def _raised(known: Installation, above: int | None = None) -> Installation:
    counter = (known.counter if above is None else above) + 1
    return replace(known, counter=counter, nonce=uuid.uuid4().hex, at=now())
