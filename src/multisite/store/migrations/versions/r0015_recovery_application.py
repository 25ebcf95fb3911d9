"""Recoveries know their application by its id: a name may be taken by another one later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery", sa.Column("application_id", sa.String(255), nullable=False, server_default=""))
    op.create_index("ix_recovery_application_id", "recovery", ["application_id"])
    recovery = sa.table("recovery", sa.column("restore_point_id"), sa.column("application_id"))
    point = sa.table("restore_point", sa.column("id"), sa.column("application_id"))
    known = sa.select(point.c.application_id).where(point.c.id == recovery.c.restore_point_id)
    op.execute(recovery.update().values(application_id=sa.func.coalesce(known.scalar_subquery(), "")))
