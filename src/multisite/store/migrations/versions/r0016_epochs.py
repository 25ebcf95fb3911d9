"""Which copy of an application is the application: the epochs that recoveries begin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("application", "restore_point", "recovery"):
        op.add_column(table, sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
