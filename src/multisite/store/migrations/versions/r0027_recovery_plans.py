"""Recovery plans, and by which one a recovery was begun: those that there are were begun without."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0027"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    names = ("id", "name", "project_id", "application_id", "application", "target_site")
    op.create_table(
        "recovery_plan",
        *(sa.Column(name, sa.String(length=255), nullable=False) for name in names),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_plan"),
        sa.UniqueConstraint("project_id", "name", name="uq_recovery_plan_name"),
    )
    op.add_column("recovery", sa.Column("plan", sa.String(255), nullable=False, server_default=""))
