"""Indexes for what is removed by age; the audit trail lets its old records go, and none else.

Without an index the removal of many jobs would read all restore points once for each.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NAMES = (
    ("address_epoch", "job_id"),
    ("application_plane", "job_id"),
    ("l3_path", "job_id"),
    ("moving_address", "job_id"),
    ("moving_address", "move_job_id"),
    ("restore_point", "job_id"),
    ("stretched_network", "job_id"),
    ("audit", "at"),
)
_DAYS = 29
"""One less than an operator may ask for, because clocks differ."""


def upgrade() -> None:
    for table, column in _NAMES:
        op.create_index(f"ix_{table}_{column}", table, [column])
    for table, at in (("audit", "OLD.at"), ("audit_end", "(SELECT at FROM audit WHERE key = OLD.key)")):
        _only_old(table, at)


def _only_old(table: str, at: str) -> None:
    """By the database's clock; updates stay refused, and what has no readable time is young."""
    words = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {table}_no_delete")
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
            f"WHEN COALESCE(julianday({at}) > julianday('now') - {_DAYS}, 1) "
            f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )
        return
    op.execute(
        f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' AND {at} <= now() - interval '{_DAYS} days' THEN RETURN OLD; END IF; "
        f"RAISE EXCEPTION '{words}'; END $$"
    )
