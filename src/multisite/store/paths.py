"""L3 paths."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.l3_path import L3Path
from multisite.domain.page import ALL, Page
from multisite.store.models import PathRow
from multisite.store.repository import Repository


class PathRepository(Repository[L3Path, PathRow]):
    row_type, item_type, noun = PathRow, L3Path, "path"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[L3Path]:
        """By name."""
        return self._select(order_by=[PathRow.name], project_id=project_id, page=page)

    def _refuse_taken(self, session: Session, item: L3Path) -> None:
        same = (PathRow.name == item.name, PathRow.project_id == item.project_id, PathRow.id != item.id)
        if session.scalar(select(PathRow.id).where(*same)) is not None:
            raise Conflict(f"name: a path {item.name!r} exists already")
