"""Recoveries: applications recreated, or being recreated, in another site."""

from __future__ import annotations

from multisite.domain.errors import NotFound
from multisite.domain.model import Recovery, RecoveryState
from multisite.store.models import RecoveryRow
from multisite.store.repository import Repository, equal


class RecoveryRepository(Repository[Recovery, RecoveryRow]):
    row_type, item_type, noun = RecoveryRow, Recovery, "recovery"

    def by_job(self, job_id: str) -> Recovery:
        """The recovery a job carries out."""
        found = self._select(RecoveryRow.job_id == job_id, order_by=[RecoveryRow.id], limit=1)
        if not found:
            raise NotFound(f"recovery: job {job_id!r} is not carrying out a recovery")
        return found[0]

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
