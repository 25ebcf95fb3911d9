"""Schedules of periodic tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("tick_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_schedule"),
    )
