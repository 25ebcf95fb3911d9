"""Plain names of what is stored: a repair's steps and results, what a path's verification found, sites' ports.

A job that is under way goes on: nothing is upgraded while a worker of another release is at work.  The journal and
the audit trail are records: they stay as they were written.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from multisite.store.types import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEYS = {"mended": "repaired", "stranger_gets_in": "reachable_from_outside"}


def upgrade() -> None:
    job = sa.table("job", sa.column("id", sa.String), sa.column("kind", sa.String))
    kept = (sa.column("job_id", sa.String), sa.column("name", sa.String), sa.column("title", sa.Text))
    step = sa.table("step", *kept, sa.column("result", sa.JSON))
    renamed = job.c.kind.in_(("repair-plane", "create-path"))
    connection = op.get_bind()
    query = sa.select(step).join(job, job.c.id == step.c.job_id).where(renamed)
    for row in connection.execute(query).mappings().all():
        same = (step.c.job_id == row["job_id"]) & (step.c.name == row["name"])
        connection.execute(step.update().where(same).values(_values(row)))
    columns = ("network_id", "site", "seen_at", "tried_at", "error")
    op.create_table(
        "site_ports",
        sa.Column("network_id", sa.String(length=255), nullable=False),
        sa.Column("site", sa.String(length=255), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ports", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["stretched_network.id"], name="fk_site_ports_network_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("network_id", "site", name="pk_site_ports"),
    )
    before = sa.table("stretched_look", *map(sa.column, (*columns, "look")))
    after = sa.table("site_ports", *map(sa.column, (*columns, "ports")))
    op.execute(after.insert().from_select([*columns, "ports"], sa.select(before)))
    op.drop_table("stretched_look")


def _values(row: sa.RowMapping) -> dict[str, Any]:
    title = row["title"].replace("Mend what can be mended", "Repair what can be repaired")
    values = {"name": row["name"].replace("mend:", "repair:", 1), "title": title}
    if isinstance(row["result"], dict):  # what has no result keeps the null it has
        values["result"] = {_KEYS.get(key, key): value for key, value in row["result"].items()}
    return values
