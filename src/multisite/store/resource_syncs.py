"""Resources kept in sync: what is wanted, and each thing's counterpart at a target."""

from __future__ import annotations

import builtins

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.page import ALL, Page
from multisite.domain.resource_sync import ResourceSync, SyncItem
from multisite.store.models import ResourceSyncRow, SyncItemRow
from multisite.store.repository import Repository


class ResourceSyncRepository(Repository[ResourceSync, ResourceSyncRow]):
    row_type, item_type, noun = ResourceSyncRow, ResourceSync, "resource sync"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[ResourceSync]:
        """By name."""
        return self._select(order_by=[ResourceSyncRow.name], project_id=project_id, page=page)

    def _refuse_taken(self, session: Session, item: ResourceSync) -> None:
        row = ResourceSyncRow
        same = (row.name == item.name, row.project_id == item.project_id, row.id != item.id)
        if session.scalar(select(row.id).where(*same)) is not None:
            raise Conflict(f"name: a resource sync {item.name!r} exists already")


class SyncItemRepository(Repository[SyncItem, SyncItemRow]):
    row_type, item_type, noun = SyncItemRow, SyncItem, "sync item"

    def of(self, sync_id: str, kind: str, target_site: str) -> builtins.list[SyncItem]:
        """Those of a kind at a target."""
        row = SyncItemRow
        where = (row.sync_id == sync_id, row.kind == kind, row.target_site == target_site)
        return self._select(*where, order_by=[row.name])

    def find(self, sync_id: str, kind: str, target_site: str, source_id: str) -> SyncItem | None:
        """That of one thing at one target."""
        row = SyncItemRow
        where = (
            row.sync_id == sync_id, row.kind == kind, row.target_site == target_site, row.source_id == source_id
        )  # fmt: skip
        return next(iter(self._select(*where)), None)

    def list(self, sync_id: str, page: Page = ALL) -> builtins.list[SyncItem]:
        """All of a sync, by kind and name."""
        order = [SyncItemRow.kind, SyncItemRow.name]
        return self._select(SyncItemRow.sync_id == sync_id, order_by=order, page=page)

    def forget(self, sync_id: str) -> None:
        """All of a sync."""
        with self._database.session() as session:
            session.execute(delete(SyncItemRow).where(SyncItemRow.sync_id == sync_id))
