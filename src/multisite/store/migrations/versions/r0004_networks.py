"""Stretched networks, the last looks at their sites' parts, and leases on things."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _stretched()
    _looks()
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("holder", sa.String(length=255), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )


def _stretched() -> None:
    op.create_table(
        "stretched_network",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("cidr", sa.String(length=255), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("segmentation_id", sa.Integer(), nullable=True),
        sa.Column("mtu", sa.Integer(), nullable=True),
        sa.Column("gateway", sa.String(length=255), nullable=False),
        sa.Column("gateway_site", sa.String(length=255), nullable=True),
        sa.Column("dhcp", sa.String(length=255), nullable=False),
        sa.Column("remote_groups", sa.String(length=255), nullable=False),
        sa.Column("port_security", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.String(length=255), nullable=True),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stretched_network"),
        sa.UniqueConstraint("name", name="uq_stretched_network_name"),
    )
    op.create_index("ix_stretched_network_project_id", "stretched_network", ["project_id"], unique=False)


def _looks() -> None:
    op.create_table(
        "stretched_look",
        sa.Column("network_id", sa.String(length=255), nullable=False),
        sa.Column("site", sa.String(length=255), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("look", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["stretched_network.id"], name="fk_stretched_look_network_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("network_id", "site", name="pk_stretched_look"),
    )
