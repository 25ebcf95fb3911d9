"""The tables of protection policies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Double, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.policy import ProtectionPolicy, ProtectionSchedule
from multisite.store.models.base import Base


class PolicyRow(Base, of=ProtectionPolicy):
    __tablename__ = "policy"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_policy_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str]
    description: Mapped[str] = mapped_column(Text)


class ProtectionScheduleRow(Base, of=ProtectionSchedule):
    __tablename__ = "protection_schedule"

    id: Mapped[str] = mapped_column(ForeignKey("protection.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(index=True)
    policy_id: Mapped[str] = mapped_column(ForeignKey("policy.id"), index=True)
    tick_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    retention_at: Mapped[datetime | None] = mapped_column(index=True)
    drill_due_at: Mapped[datetime | None] = mapped_column(index=True)
    note: Mapped[str | None] = mapped_column(Text)
    last_drill_id: Mapped[str | None]
    last_drill_result: Mapped[str | None]
    drill_note: Mapped[str | None] = mapped_column(Text)
    retention_note: Mapped[str | None] = mapped_column(Text)


class RpoSampleRow(Base):
    """One moment of a protection's RPO, as ``domain.rpo.RpoSample``."""

    __tablename__ = "rpo_sample"

    protection_id: Mapped[str] = mapped_column(
        ForeignKey("protection.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str]
    lost_seconds: Mapped[float | None] = mapped_column(Double)
    lost_bytes: Mapped[int | None] = mapped_column(BigInteger)
    target_seconds: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    changed: Mapped[bool]
