"""What is chosen for a protection is its method's own: columns become one object."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, sa.types.TypeEngine[Any]] = {
    "freeze_timeout": sa.Integer(),
    "quiesce": sa.Boolean(),
    "full_every": sa.Integer(),
    "console_mark": sa.Text(),
    "snapshot_gap_seconds": sa.Double(),
}


def upgrade() -> None:
    with op.batch_alter_table("protection") as table:
        table.add_column(sa.Column("options", sa.JSON(), nullable=True))
    kept: list[sa.ColumnClause[Any]] = [sa.column(name, kind) for name, kind in _OPTIONS.items()]
    protection = sa.table("protection", sa.column("id", sa.String), sa.column("options", sa.JSON), *kept)
    connection = op.get_bind()
    for row in connection.execute(sa.select(protection.c.id, *kept)).mappings().all():
        options = {name: row[name] for name in _OPTIONS}
        connection.execute(protection.update().where(protection.c.id == row["id"]).values(options=options))
    with op.batch_alter_table("protection") as table:
        table.alter_column("options", existing_type=sa.JSON(), nullable=False)
        for name in _OPTIONS:
            table.drop_column(name)
