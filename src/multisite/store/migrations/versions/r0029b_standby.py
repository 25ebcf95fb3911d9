"""Warm standby: restore points that are kept restored at the target; the protections that there are keep none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0029b"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("protection", sa.Column("standby", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "standby",
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("protection_id", sa.String(255), nullable=False, index=True),
        sa.Column("application_id", sa.String(255), nullable=False),
        sa.Column("application", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False, index=True),
        sa.Column("restore_point_id", sa.String(255), nullable=False, index=True),
        sa.Column("target_site", sa.String(255), nullable=False),
        sa.Column("state", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(255), nullable=False),
        sa.Column("site_project_id", sa.String(255), nullable=False),
        sa.Column("job_id", sa.String(255), nullable=True, index=True),
        sa.Column("recovery_id", sa.String(255), nullable=True),
        sa.Column("volumes", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ready_at", UtcDateTime(), nullable=True),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("tried_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.UniqueConstraint(
            "protection_id", "restore_point_id", "target_site", name="uq_standby_restore_point"
        ),
    )
