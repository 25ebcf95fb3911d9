"""Limits of projects over several sites."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "global_quota",
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("project_id", sa.String(255), nullable=False, unique=True),
        sa.Column("sites", sa.JSON(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("leases", sa.JSON(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=False),
        sa.Column("raising_since", UtcDateTime(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("passed_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
