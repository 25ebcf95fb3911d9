"""The series of the RPO of protections; the role of members of applications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0021"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "application_member", sa.Column("role", sa.String(255), nullable=False, server_default="active")
    )
    op.add_column("policy", sa.Column("history_days", sa.Integer(), nullable=False, server_default="30"))
    op.create_table(
        "rpo_sample",
        sa.Column(
            "protection_id",
            sa.String(255),
            sa.ForeignKey("protection.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(255), nullable=False),
        sa.Column("lost_seconds", sa.Double(), nullable=True),
        sa.Column("lost_bytes", sa.BigInteger(), nullable=True),
        sa.Column("target_seconds", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("protection_id", "at", name="pk_rpo_sample"),
    )
