"""The source of a sync may be a document in place of a site."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("resource_sync") as table:
        table.add_column(sa.Column("document", sa.Text(), nullable=True))
        table.alter_column("source_site", existing_type=sa.String(255), nullable=True)
