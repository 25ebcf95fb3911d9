"""Which project of a site stands for which of ours."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_grant",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column(
            "site", sa.String(length=255), sa.ForeignKey("site.name", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("site_project_id", sa.String(length=255), nullable=False),
        sa.Column("site_project_name", sa.String(length=255), nullable=False),
        sa.Column("granted_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_project_grant"),
        sa.UniqueConstraint("site", "project_id", name="uq_project_grant"),
        sa.UniqueConstraint("site", "site_project_id", name="uq_project_grant_target"),
    )
