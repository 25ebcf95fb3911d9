"""What planes were removed without."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("application_plane", sa.Column("left", sa.JSON(), nullable=False, server_default="[]"))
