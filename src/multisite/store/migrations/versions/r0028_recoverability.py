"""Whether applications are recoverable: the newest look at each protection."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recoverability",
        sa.Column("id", sa.String(255), sa.ForeignKey("protection.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("recoverable", sa.String(255), nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("target_site", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("restore_point_id", sa.String(255), nullable=True),
        sa.Column("rules_of", sa.String(255), nullable=False),
        sa.Column("rto_seconds", sa.Double(), nullable=True),
        sa.Column("past_least", sa.Double(), nullable=True),
        sa.Column("past_most", sa.Double(), nullable=True),
        sa.Column("past_count", sa.Integer(), nullable=False),
    )
