"""Groups of recovery plans: those that there are have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027b"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery_plan", sa.Column("groups", sa.JSON(), nullable=False, server_default="[]"))
