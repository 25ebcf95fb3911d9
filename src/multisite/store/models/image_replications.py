"""The table of images that are replicated to other sites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.image_copy import ImageReplication
from multisite.store.models.base import Base


class ImageReplicationRow(Base, of=ImageReplication):
    __tablename__ = "image_replication"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(index=True)
    source_site: Mapped[str]
    image_id: Mapped[str] = mapped_column(index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(Text)
    job_id: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)
