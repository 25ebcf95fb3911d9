"""Protection policies, and where each protection is in its policy's schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=255), nullable=nullable)


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "policy",
        *(_text(name) for name in ("id", "name", "project_id")),
        sa.Column("schedules", sa.JSON(), nullable=False),
        sa.Column("jitter_seconds", sa.Integer(), nullable=False),
        sa.Column("retention", sa.JSON(), nullable=False),
        sa.Column("rpo_seconds", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        _time("created_at", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_policy"),
        sa.UniqueConstraint("project_id", "name", name="uq_policy_name"),
    )
    with op.batch_alter_table("protection") as table:
        table.add_column(_text("policy_id", nullable=True))
        table.add_column(_text("policy", nullable=True))
        table.add_column(sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.create_foreign_key("fk_protection_policy_id", "policy", ["policy_id"], ["id"])
    op.create_index("ix_protection_policy_id", "protection", ["policy_id"])
    _schedules()


def _schedules() -> None:
    op.create_table(
        "protection_schedule",
        sa.Column("id", sa.String(255), sa.ForeignKey("protection.id", ondelete="CASCADE"), nullable=False),
        _text("project_id"),
        sa.Column("policy_id", sa.String(255), sa.ForeignKey("policy.id"), nullable=False),
        _time("since", nullable=False),
        sa.Column("asked_by", sa.JSON(), nullable=False),
        _time("tick_at"),
        _time("due_at"),
        _text("backup"),
        _time("retention_at"),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("attempts", "runs", "skipped", "missed")
        ),
        _time("last_run_at"),
        _text("last_job_id", nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("retention_note", sa.Text(), nullable=True),
        _time("created_at", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_protection_schedule"),
    )
    for name in ("project_id", "policy_id", "due_at", "retention_at", "last_job_id"):
        op.create_index(f"ix_protection_schedule_{name}", "protection_schedule", [name])
