"""Of the kinds that have tags, a sync may keep only those with one of them in sync."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("resource_sync", sa.Column("only_tag", sa.String(255), nullable=True))
