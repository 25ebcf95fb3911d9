"""Limits of projects over several sites."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.global_quota import GlobalQuota
from multisite.domain.page import ALL, Page
from multisite.store.models import GlobalQuotaRow
from multisite.store.repository import Repository


class GlobalQuotaRepository(Repository[GlobalQuota, GlobalQuotaRow]):
    row_type, item_type, noun = GlobalQuotaRow, GlobalQuota, "quota"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[GlobalQuota]:
        """By project."""
        return self._select(order_by=[GlobalQuotaRow.project_id], project_id=project_id, page=page)

    def _refuse_taken(self, session: Session, item: GlobalQuota) -> None:
        row = GlobalQuotaRow
        same = (row.project_id == item.project_id, row.id != item.id)
        if session.scalar(select(row.id).where(*same)) is not None:
            raise Conflict(f"project_id: project {item.project_id!r} has a quota already: change that")
