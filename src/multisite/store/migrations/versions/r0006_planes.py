"""The planes of applications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "application_plane",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("application_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.Column("realised", sa.String(length=255), nullable=False),
        sa.Column("sites", sa.JSON(), nullable=False),
        sa.Column("cidr", sa.String(length=255), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("stretched_network_id", sa.String(length=255), nullable=True),
        sa.Column("made", sa.JSON(), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name="fk_application_plane_application_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_application_plane"),
        sa.UniqueConstraint("application_id", "name", name="uq_application_plane_name"),
    )
    op.create_index(
        "ix_application_plane_application_id", "application_plane", ["application_id"], unique=False
    )
