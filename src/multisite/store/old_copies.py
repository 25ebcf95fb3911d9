"""Earlier copies of recovered applications, as they were seen last."""

from __future__ import annotations

import builtins
from collections.abc import Collection

from multisite.domain.errors import NotFound
from multisite.domain.old_copy import OldCopy, following
from multisite.store.models import OldCopyRow
from multisite.store.repository import Repository


class OldCopyRepository(Repository[OldCopy, OldCopyRow]):
    """One of an application, by its id; the application may be forgotten."""

    row_type, item_type, noun = OldCopyRow, OldCopy, "old copy"

    def list(self, ids: Collection[str] | None = None) -> builtins.list[OldCopy]:
        """All, or those of these applications."""
        return self._select(*([] if ids is None else [OldCopyRow.id.in_(ids)]))

    def find(self, id: str) -> OldCopy | None:
        try:
            return self.get(id)
        except NotFound:
            return None

    def keep(self, copy: OldCopy) -> tuple[OldCopy | None, OldCopy]:
        """What was kept before and what is kept now, with its events: read and written as one."""
        with self._database.session():
            self._database.advisory_lock(f"{self.noun} {copy.id}")
            before = self.find(copy.id)
            kept = following(before, copy)
            return before, (self.add(kept) if before is None else self.update(kept))
