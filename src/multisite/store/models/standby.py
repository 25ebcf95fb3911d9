"""The table of restore points that are kept restored at the target of their protection."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.standby import Standby
from multisite.store.models.base import Base


class StandbyRow(Base, of=Standby):
    """Not of the protection: when that is forgotten its volumes are still to be deleted."""

    __tablename__ = "standby"
    __table_args__ = (
        UniqueConstraint("protection_id", "restore_point_id", "target_site", name="uq_standby_restore_point"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    protection_id: Mapped[str] = mapped_column(index=True)
    project_id: Mapped[str] = mapped_column(index=True)
    restore_point_id: Mapped[str] = mapped_column(index=True)
    target_site: Mapped[str]
    job_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)
