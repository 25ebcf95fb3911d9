"""The tables of jobs, their steps and journal, and of the workers that carry them out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.store.models.base import Base


class JobRow(Base):
    """A job.  ``run`` counts what operators asked (start, resume, undo), ``epoch`` its owners: writes of
    an older epoch are void.  ``settled``: at rest, and its kind has been told so.  ``worker`` carries it out, or
    did last; an unsettled job without one is free for any worker.  ``claims``: by how many processes, since a step of
    it ended or somebody gave an order; ``owner``: DBOS's token of the last one counted."""

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
    owner: Mapped[str | None]
    claims: Mapped[int] = mapped_column(default=0, server_default="0")
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
