"""Recoveries: applications recreated, or being recreated, in another site."""

from __future__ import annotations

from multisite.domain.model import Recovery, RecoveryState
from multisite.store.models import RecoveryRow
from multisite.store.repository import Repository, equal


class RecoveryRepository(Repository[Recovery, RecoveryRow]):
    row_type, item_type, noun = RecoveryRow, Recovery, "recovery"

    def list(
        self,
        project_id: str | None = None,
        *,
        application: str | None = None,
        restore_point_id: str | None = None,
        state: RecoveryState | None = None,
    ) -> list[Recovery]:
        """Newest first."""
        where = equal(
            (RecoveryRow.project_id, project_id),
            (RecoveryRow.application, application),
            (RecoveryRow.restore_point_id, restore_point_id),
            (RecoveryRow.state, state),
        )
        return self._select(*where, order_by=[RecoveryRow.created_at.desc(), RecoveryRow.id])
