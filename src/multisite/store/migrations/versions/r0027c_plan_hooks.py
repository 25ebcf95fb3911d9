"""Hooks of recovery plans, and what operators answered: those that there are have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027c"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery_plan", sa.Column("hooks", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("recovery", sa.Column("answers", sa.JSON(), nullable=False, server_default="{}"))
