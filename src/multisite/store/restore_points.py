"""Restore points: the cache of the manifests in the backup store."""

from __future__ import annotations

import builtins
from collections.abc import Collection

from sqlalchemy import func, or_, select

from multisite.domain.errors import NotFound
from multisite.domain.model import RestorePoint, RestorePointState
from multisite.domain.page import ALL, Page
from multisite.store.models import RestorePointRow
from multisite.store.repository import Repository, equal


class RestorePointRepository(Repository[RestorePoint, RestorePointRow]):
    row_type, item_type, noun = RestorePointRow, RestorePoint, "restore point"

    def list(
        self,
        project_id: str | None = None,
        application_id: str | None = None,
        *,
        application: str | None = None,
        protection_id: str | None = None,
        state: RestorePointState | None = None,
        named: str | None = None,
        page: Page = ALL,
    ) -> list[RestorePoint]:
        """Newest first; ``named``: of the application with this name or id."""
        where = equal(
            (RestorePointRow.application_id, application_id),
            (RestorePointRow.application, application),
            (RestorePointRow.protection_id, protection_id),
            (RestorePointRow.state, state),
        )
        if named is not None:
            where.append(or_(RestorePointRow.application == named, RestorePointRow.application_id == named))
        order = [RestorePointRow.created_at]
        return self._select(*where, order_by=order, project_id=project_id, page=page, newest_first=True)

    def newest(self, applications: Collection[str]) -> builtins.list[RestorePoint]:
        """Of each of these applications (ids) the newest available one and the newest failed one."""
        row = RestorePointRow
        looked_for = (RestorePointState.AVAILABLE, RestorePointState.FAILED)
        newest = (
            select(row.application_id, row.state, func.max(row.created_at).label("at"))
            .where(row.application_id.in_(applications), row.state.in_(looked_for))
            .group_by(row.application_id, row.state)
            .subquery()
        )
        same = (newest.c.application_id == row.application_id) & (newest.c.state == row.state)
        with self._database.session(read_only=True) as session:
            wanted = select(row).join(newest, same & (newest.c.at == row.created_at))
            return [self._item(found) for found in session.scalars(wanted)]

    def carrying(self, applications: Collection[str], most: int) -> builtins.list[RestorePoint]:
        """Of each of these applications (ids) the newest usable ones that tell how much had changed; ``most``."""
        row = RestorePointRow
        place = func.row_number().over(partition_by=row.application_id, order_by=row.created_at.desc())
        numbered = (
            select(row.id, place.label("place"))
            .where(
                row.application_id.in_(applications),
                row.state == RestorePointState.AVAILABLE,
                row.carried_bytes.is_not(None),
            )
            .subquery()
        )
        wanted = select(row).join(numbered, numbered.c.id == row.id).where(numbered.c.place <= most)
        with self._database.session(read_only=True) as session:
            return [self._item(found) for found in session.scalars(wanted.order_by(row.created_at.desc()))]

    def ids(self) -> frozenset[str]:
        """Of all that are known, in whatever state."""
        with self._database.session(read_only=True) as session:
            return frozenset(session.scalars(select(RestorePointRow.id)))

    def save(self, item: RestorePoint) -> RestorePoint:
        """Add it or replace the one with its id: what a rescan of the backup store found."""
        with self._database.session():
            try:
                return self.update(item)
            except NotFound:
                return self.add(item)
