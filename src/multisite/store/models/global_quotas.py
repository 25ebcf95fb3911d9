"""The table of limits of projects over several sites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.global_quota import GlobalQuota
from multisite.store.models.base import Base


class GlobalQuotaRow(Base, of=GlobalQuota):
    __tablename__ = "global_quota"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
