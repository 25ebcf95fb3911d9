"""Several target sites of a protection: beside the one that there was, which stays the preferred one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "protection", sa.Column("other_target_sites", sa.JSON(), nullable=False, server_default="[]")
    )
    op.add_column(
        "protection_schedule", sa.Column("drill_target", sa.String(255), nullable=False, server_default="")
    )
    op.add_column("recoverability", sa.Column("others", sa.JSON(), nullable=False, server_default="[]"))
