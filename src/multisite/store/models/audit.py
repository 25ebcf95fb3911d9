"""The tables of the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.store.models.base import Base


class AuditRow(Base):
    """A change somebody is about to make.  Append-only: triggers refuse updates, and deletes in its first 29 days."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_project_id_id", "project_id", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    key: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    user: Mapped[str] = mapped_column("user_name")
    user_id: Mapped[str | None]
    project_id: Mapped[str | None]
    request_id: Mapped[str | None]
    job_id: Mapped[str | None] = mapped_column(index=True)
    subject: Mapped[str | None] = mapped_column(index=True)
    step: Mapped[str | None]
    attempt: Mapped[int | None]
    undoing: Mapped[bool]
    site: Mapped[str | None]
    service: Mapped[str | None]
    method: Mapped[str]
    path: Mapped[str] = mapped_column(Text)
    action: Mapped[str | None]
    resource_id: Mapped[str | None]


class AuditEndRow(Base):
    """What came of it.  Append-only too; an ``audit`` row without one is a change whose answer nobody noted."""

    __tablename__ = "audit_end"

    key: Mapped[str] = mapped_column(ForeignKey("audit.key"), primary_key=True)
    outcome: Mapped[str]
    status: Mapped[int | None]
    cloud_request_id: Mapped[str | None]
    resource_id: Mapped[str | None]
    job_id: Mapped[str | None] = mapped_column(index=True)
    project_id: Mapped[str | None]
    seconds: Mapped[float]
    ended_at: Mapped[datetime]
