"""American spelling of what is stored: planes are realized."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("application_plane") as table:
        table.alter_column("realised", new_column_name="realized")
    plane = sa.table("application_plane", sa.column("state", sa.String))
    op.execute(plane.update().where(plane.c.state == "realising").values(state="realizing"))
    job = sa.table("job", sa.column("kind", sa.String))
    op.execute(job.update().where(job.c.kind == "realise-plane").values(kind="realize-plane"))
