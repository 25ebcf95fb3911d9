"""A row that a master site writes again and again: replicas that follow get it, and an idle cluster moves on."""

from __future__ import annotations

from multisite.identity.watchdog.database import session
from multisite.identity.watchdog.settings import Settings

# In Keystone's own database, for nothing else is replicated.  Keystone and its migrations know nothing of it.
_TABLE = """
CREATE TABLE IF NOT EXISTS keystone.multisite_canary (
  site VARCHAR(64) PRIMARY KEY, beats BIGINT NOT NULL, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB"""
_BEAT = """
INSERT INTO keystone.multisite_canary (site, beats) VALUES (%s, 1)
ON DUPLICATE KEY UPDATE beats = beats + 1, at = CURRENT_TIMESTAMP(3)"""


def prepare(settings: Settings, site: str) -> None:
    """Make the table unless it exists; raises one of database.ERRORS."""
    _write(settings, site, _TABLE, ())


def beat(settings: Settings, site: str) -> None:
    """Write the row once; raises one of database.ERRORS, as when the node is not in the primary component."""
    _write(settings, site, _BEAT, (site,))


def _write(settings: Settings, site: str, statement: str, values: tuple[str, ...]) -> None:
    master = settings.master(site)
    with session(settings, master.address, master.port) as cursor:
        cursor.execute(statement, values)
