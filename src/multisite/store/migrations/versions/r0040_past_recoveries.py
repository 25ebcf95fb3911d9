"""By which method a recovery was, what restore points carry, and predicted RTOs with their range."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery", sa.Column("method", sa.String(255), nullable=True))
    op.add_column("recovery", sa.Column("warm", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("restore_point", sa.Column("carried_bytes", sa.BigInteger(), nullable=True))
    op.add_column("restore_point", sa.Column("carried_seconds", sa.Double(), nullable=True))
    for name in ("rto_least", "rto_most", "past_median"):
        op.add_column("recoverability", sa.Column(name, sa.Double(), nullable=True))
    op.add_column("recoverability", sa.Column("rto_count", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("recoverability", sa.Column("method", sa.String(255), nullable=False, server_default=""))
