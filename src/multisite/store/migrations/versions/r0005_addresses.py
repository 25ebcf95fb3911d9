"""Moving addresses with the history of their epochs, and L3 paths."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _moving_address()
    _address_epoch()
    _l3_path()


def _moving_address() -> None:
    op.create_table(
        "moving_address",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("active_site", sa.String(length=255), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("probe", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=False),
        sa.Column("move_job_id", sa.String(length=255), nullable=True),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_moving_address"),
        sa.UniqueConstraint("address", name="uq_moving_address_address"),
        sa.UniqueConstraint("project_id", "name", name="uq_moving_address_name"),
    )
    op.create_index("ix_moving_address_project_id", "moving_address", ["project_id"], unique=False)


def _address_epoch() -> None:
    op.create_table(
        "address_epoch",
        sa.Column("address_id", sa.String(length=255), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site", sa.String(length=255), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("raised_by", sa.String(length=255), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["address_id"], ["moving_address.id"], name="fk_address_epoch_address_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("address_id", "epoch", name="pk_address_epoch"),
    )


def _l3_path() -> None:
    op.create_table(
        "l3_path",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("ends", sa.JSON(), nullable=False),
        sa.Column("protocol", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_l3_path"),
        sa.UniqueConstraint("project_id", "name", name="uq_l3_path_name"),
    )
    op.create_index("ix_l3_path_project_id", "l3_path", ["project_id"], unique=False)
