"""Several projects of a site may be granted to one of ours; those granted before stay the defaults."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("project_grant") as table:
        table.add_column(sa.Column("is_default", sa.Boolean(), nullable=False, server_default=sa.true()))
        table.drop_constraint("uq_project_grant", type_="unique")
    op.create_index(
        "uq_project_grant_default", "project_grant", ["site", "project_id"], unique=True,
        sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default"),
    )  # fmt: skip
    op.add_column("recovery", sa.Column("site_project_id", sa.String(255), nullable=False, server_default=""))
