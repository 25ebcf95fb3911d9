"""A recovery has a purpose: those that there are were for a disaster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery", sa.Column("purpose", sa.String(255), nullable=False, server_default="disaster"))
