"""Earlier copies of recovered applications; what was described before a recovery was reprotected, and commits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0025"
down_revision = "0028"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=255), nullable=False)


def upgrade() -> None:
    op.create_table(
        "old_copy",
        *(_text(name) for name in ("id", "application", "project_id", "recovery_id")),
        sa.Column("epoch", sa.Integer(), nullable=False),
        _text("target_site"),
        _text("state"),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("servers", "findings", "events")),
        sa.Column("looked_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_old_copy"),
    )
    op.create_index("ix_old_copy_project_id", "old_copy", ["project_id"])
    for name in ("reprotected_at", "committed_at"):
        op.add_column("recovery", sa.Column(name, UtcDateTime(), nullable=True))
    op.add_column("recovery", sa.Column("described_before", sa.JSON(), nullable=True))
