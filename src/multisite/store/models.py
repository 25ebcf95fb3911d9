"""The tables.  Only portable SQL: SQLite now, PostgreSQL when grown.

Restore points and recoveries keep names and ids of things without foreign keys: they outlive applications,
protections and even this database (a restore point is found again in the backup store).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from multisite.store.types import UtcDateTime

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: String(255),
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class SiteRow(Base):
    __tablename__ = "site"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    cloud: Mapped[str]
    region: Mapped[str]
    auth_url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class ApplicationRow(Base):
    __tablename__ = "application"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_application_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str]
    site: Mapped[str] = mapped_column(ForeignKey("site.name"))
    metadata_tag: Mapped[str | None]
    created_at: Mapped[datetime]
    members: Mapped[list[MemberRow]] = relationship(
        cascade="all, delete-orphan", order_by="MemberRow.order", lazy="selectin"
    )


class MemberRow(Base):
    __tablename__ = "application_member"

    application_id: Mapped[str] = mapped_column(
        ForeignKey("application.id", ondelete="CASCADE"), primary_key=True
    )
    server_id: Mapped[str] = mapped_column(primary_key=True)
    server_name: Mapped[str]
    order: Mapped[int] = mapped_column("boot_order")
    quiesce: Mapped[bool]


class ProtectionRow(Base):
    __tablename__ = "protection"

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("application.id"), index=True)
    application: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    method: Mapped[str]
    site: Mapped[str]
    target_site: Mapped[str | None]
    freeze_timeout: Mapped[int]
    quiesce: Mapped[bool]
    full_every: Mapped[int]
    console_mark: Mapped[str | None] = mapped_column(Text)
    snapshot_gap_seconds: Mapped[float]
    created_at: Mapped[datetime]
    last_restore_point: Mapped[str | None]


class RestorePointRow(Base):
    __tablename__ = "restore_point"

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(index=True)
    application: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    protection_id: Mapped[str | None]
    method: Mapped[str]
    state: Mapped[str]
    incremental: Mapped[bool]
    parent_id: Mapped[str | None]
    created_at: Mapped[datetime]
    consistent_at: Mapped[datetime | None]
    frozen_seconds: Mapped[float | None]
    frozen: Mapped[list[Any]]
    marks: Mapped[list[Any]]
    quiesced: Mapped[bool]
    size_gib: Mapped[int | None]
    digest: Mapped[str | None]
    job_id: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(Text)


class RecoveryRow(Base):
    __tablename__ = "recovery"

    id: Mapped[str] = mapped_column(primary_key=True)
    application: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    restore_point_id: Mapped[str] = mapped_column(index=True)
    target_site: Mapped[str]
    state: Mapped[str]
    job_id: Mapped[str] = mapped_column(index=True)
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    consistent_at: Mapped[datetime | None]
    rto_seconds: Mapped[float | None]
    rpo_seconds: Mapped[float | None]
    servers: Mapped[list[Any]]
    mapping: Mapped[dict[str, Any]]
    error: Mapped[str | None] = mapped_column(Text)


class JobRow(Base):
    """A job.  ``run`` counts what operators asked (start, resume, undo), ``epoch`` its owners: writes of
    an older epoch are void.  ``settled``: at rest, and its kind has been told so.  ``worker`` carries it out, or
    did last; an unsettled job without one is free for any worker."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    title: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(index=True)
    project_id: Mapped[str | None] = mapped_column(index=True)
    subject: Mapped[str | None] = mapped_column(index=True)
    requested_by: Mapped[str]
    request_id: Mapped[str | None]
    params: Mapped[dict[str, Any]]
    run: Mapped[int]
    epoch: Mapped[int]
    intent: Mapped[str]
    cancel_requested: Mapped[bool]
    settled: Mapped[bool] = mapped_column(index=True)
    worker: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    undo_error: Mapped[str | None] = mapped_column(Text)


class StepRow(Base):
    """A step and its memo: the row says RUNNING before the effect, DONE with the result after.

    ``epoch`` is that of the owner who began it last; ``waits``: what it waits for while it runs."""

    __tablename__ = "step"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    state: Mapped[str]
    site: Mapped[str | None]
    needs: Mapped[list[Any]]
    limit_name: Mapped[str | None]
    epoch: Mapped[int]
    attempt: Mapped[int]
    interrupted: Mapped[bool]
    undo_attempt: Mapped[int]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    done: Mapped[float | None]
    total: Mapped[float | None]
    unit: Mapped[str]
    detail: Mapped[str] = mapped_column(Text)
    waits: Mapped[str] = mapped_column(Text)
    result: Mapped[Any] = mapped_column(JSON, nullable=True)
    error: Mapped[str | None] = mapped_column(Text)


class JournalRow(Base):
    """What happened, in order.  Append-only: nothing updates or deletes a line."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_job_id_id", "job_id", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"))
    step: Mapped[str | None]
    at: Mapped[datetime]
    who: Mapped[str]
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]]


class AuditRow(Base):
    """A change somebody is about to make.  Append-only: triggers refuse updates and deletes."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_project_id_id", "project_id", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    key: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]
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


class WorkerRow(Base):
    """A life of a process that carries out jobs: its lease.  Times are the database's, never a host's.

    Whoever finds the lease expired deletes the row: its slots go with it, its jobs become free.  ``sessions``:
    the name its sessions on the server go by."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(primary_key=True)
    sessions: Mapped[str]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SlotRow(Base):
    """One of the steps that may hold a limit at the same time, over all workers."""

    __tablename__ = "slot"

    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker: Mapped[str] = mapped_column(ForeignKey("worker.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[str]
    step: Mapped[str]
