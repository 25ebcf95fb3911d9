"""The tables of resources kept in sync."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.resource_sync import ResourceSync, SyncItem
from multisite.store.models.base import Base


class ResourceSyncRow(Base, of=ResourceSync):
    __tablename__ = "resource_sync"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    document: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class SyncItemRow(Base, of=SyncItem):
    __tablename__ = "sync_item"
    __table_args__ = (
        UniqueConstraint("sync_id", "kind", "target_site", "source_id", name="uq_sync_item_sync_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    sync_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    name: Mapped[str]
    source_id: Mapped[str]
    target_site: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]
