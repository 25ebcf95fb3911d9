"""Count how often a job was taken up since a step of it ended: one whose processes die is set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch: that would make the table anew on SQLite, and what refers to its rows would go with them.
    op.add_column("job", sa.Column("owner", sa.String(length=255), nullable=True))
    op.add_column("job", sa.Column("claims", sa.Integer(), nullable=False, server_default="0"))
