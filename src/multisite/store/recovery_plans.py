"""Recovery plans.  Names are unique in a project."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.page import ALL, Page
from multisite.domain.recovery_plan import RecoveryPlan
from multisite.store.models import RecoveryPlanRow
from multisite.store.repository import Repository, equal


class RecoveryPlanRepository(Repository[RecoveryPlan, RecoveryPlanRow]):
    row_type, item_type, noun = RecoveryPlanRow, RecoveryPlan, "recovery plan"

    def list(
        self, project_id: str | None = None, page: Page = ALL, *, application_id: str | None = None
    ) -> list[RecoveryPlan]:
        """By name."""
        where = equal((RecoveryPlanRow.application_id, application_id))
        return self._select(*where, order_by=[RecoveryPlanRow.name], project_id=project_id, page=page)

    def by_name(self, name: str, project_id: str) -> RecoveryPlan:
        return self._one(name, RecoveryPlanRow.name == name, RecoveryPlanRow.project_id == project_id)

    def _refuse_taken(self, session: Session, item: RecoveryPlan) -> None:
        row = RecoveryPlanRow
        same = (row.name == item.name, row.project_id == item.project_id, row.id != item.id)
        if session.scalar(select(row.id).where(*same)) is not None:
            raise Conflict(
                f"name: a recovery plan {item.name!r} already exists in this project; choose another name"
            )
