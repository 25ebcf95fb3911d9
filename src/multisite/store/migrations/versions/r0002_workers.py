"""Several workers: their leases, the slots of limits, who carries out a job, what a step waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _worker()
    _slot()
    # Not in a batch: that may copy a table, and dropping the old one would take along what refers to it.
    op.add_column("job", sa.Column("worker", sa.String(length=255), nullable=True))
    op.create_index("ix_job_worker", "job", ["worker"], unique=False)
    op.add_column("step", sa.Column("limit_name", sa.String(length=255), nullable=True))
    op.add_column("step", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("step", sa.Column("waits", sa.Text(), nullable=False, server_default=""))


def _worker() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("sessions", sa.String(length=255), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
    op.create_index("ix_worker_expires_at", "worker", ["expires_at"], unique=False)


def _slot() -> None:
    op.create_table(
        "slot",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=False),
        sa.Column("step", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["worker"], ["worker.id"], name="fk_slot_worker", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "number", name="pk_slot"),
    )
    op.create_index("ix_slot_worker", "slot", ["worker"], unique=False)
