"""Whether applications are recoverable: the newest look at each protection."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.domain.recoverability import Recoverability
from multisite.store.models import RecoverabilityRow
from multisite.store.repository import Repository


class RecoverabilityRepository(Repository[Recoverability, RecoverabilityRow]):
    row_type, item_type, noun = RecoverabilityRow, Recoverability, "look at a protection"

    def of(self, protections: Sequence[str]) -> dict[str, Recoverability]:
        """By id of the protection, of those that were looked at."""
        found = self._select(RecoverabilityRow.id.in_(protections), order_by=[RecoverabilityRow.id])
        return {look.id: look for look in found}

    def save(self, look: Recoverability) -> None:
        """In place of the one before.  Conflict when the protection is gone meanwhile."""
        with self._database.session() as session:
            row = session.get(RecoverabilityRow, look.id) or RecoverabilityRow()
            self._fill(row, look)
            self._write(session, look, lambda: session.add(row))

    def _refused(self, item: Recoverability) -> str:
        return f"protection {item.id}: it was deleted meanwhile"
