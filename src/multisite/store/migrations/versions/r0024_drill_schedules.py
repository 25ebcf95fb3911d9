"""Drills by a policy, and where each protection is in them: the policies that there are have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0024"
down_revision = "0027b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("policy", sa.Column("drill_cron", sa.String(255), nullable=True))
    with op.batch_alter_table("protection_schedule") as table:
        for name in ("drill_tick_at", "drill_due_at", "last_drill_at"):
            table.add_column(sa.Column(name, UtcDateTime(), nullable=True))
        for name in ("drill_attempts", "drills", "drills_skipped", "drills_missed"):
            table.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("last_drill_id", sa.String(255), nullable=True))
        table.add_column(sa.Column("last_drill_result", sa.String(255), nullable=True))
        table.add_column(sa.Column("drill_note", sa.Text(), nullable=True))
    op.create_index("ix_protection_schedule_drill_due_at", "protection_schedule", ["drill_due_at"])
