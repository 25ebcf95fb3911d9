"""L3 paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.l3_path import L3Path, PathEnd, PathState
from multisite.store.models_addresses import PathRow
from multisite.store.repository import Repository, equal


class PathRepository(Repository[L3Path, PathRow]):
    row_type, item_type, noun = PathRow, L3Path, "path"

    def list(self, project_id: str | None = None) -> list[L3Path]:
        """By name."""
        return self._select(*equal((PathRow.project_id, project_id)), order_by=[PathRow.name, PathRow.id])

    def change(self, id: str, how: Callable[[L3Path], L3Path]) -> L3Path:
        """Read and write as one: the steps of both sides change the same record."""
        with self._database.session():
            self._database.advisory_lock(f"path {id}")
            return self.update(how(self.get(id)))

    def _refuse_taken(self, session: Session, item: L3Path) -> None:
        same = (PathRow.name == item.name, PathRow.project_id == item.project_id, PathRow.id != item.id)
        if session.scalar(select(PathRow.id).where(*same)) is not None:
            raise Conflict(f"name: a path {item.name!r} exists already")

    def _fill(self, row: PathRow, item: L3Path) -> None:
        super()._fill(row, item)
        row.ends = [asdict(end) for end in item.ends]

    def _item(self, row: PathRow) -> L3Path:
        item = super()._item(row)
        ends: Any = item.ends
        return replace(item, state=PathState(item.state), ends=tuple(PathEnd(**end) for end in ends))
