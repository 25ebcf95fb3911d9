"""The tables of work that is no job: leases and schedules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.store.models.base import Base


class LeaseRow(Base):
    """Who may act on a thing until when, for work that is no job (a job has its worker's lease)."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    expires_at: Mapped[datetime]


class ScheduleRow(Base):
    """A periodic task, as ``domain.periodic.TaskState``."""

    __tablename__ = "schedule"

    name: Mapped[str] = mapped_column(primary_key=True)
    schedule: Mapped[str] = mapped_column(Text)
    next_at: Mapped[datetime]
    paused: Mapped[bool]
    tick_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
