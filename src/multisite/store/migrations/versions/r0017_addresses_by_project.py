"""A moving address is one in its project; between projects each site's Neutron decides who has it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    epochs = sa.table(
        "address_epoch",
        *(sa.column(n) for n in ("address_id", "epoch", "site", "at", "raised_by", "why", "job_id")),
    )
    # On SQLite the table is made anew, and rows that refer to the old one go with it.
    kept = connection.execute(sa.select(epochs)).mappings().all()
    with op.batch_alter_table("moving_address") as table:
        table.drop_constraint("uq_moving_address_address", type_="unique")
        table.create_unique_constraint("uq_moving_address_project_address", ["project_id", "address"])
    if kept and connection.dialect.name == "sqlite":
        connection.execute(epochs.delete())
        connection.execute(epochs.insert(), [dict(row) for row in kept])
