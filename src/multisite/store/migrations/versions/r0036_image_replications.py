"""Images that are replicated to other sites."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0036"
down_revision = "0029b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "image_replication",
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("project_id", sa.String(255), nullable=False, index=True),
        sa.Column("source_site", sa.String(255), nullable=False),
        sa.Column("image_id", sa.String(255), nullable=False, index=True),
        sa.Column("image_name", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("copies", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(255), nullable=False),
        sa.Column("job_id", sa.String(255), nullable=False, index=True),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
    )
