"""Alembic's entry: the caller (Database.upgrade) hands over the connection; there is no alembic.ini."""

from __future__ import annotations

from alembic import context

from multisite.store.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
