"""A row that a master site writes again and again: replicas that follow get it, and an idle cluster moves on."""

from __future__ import annotations

import logging

from multisite.identity.watchdog.database import ERRORS, message, session
from multisite.identity.watchdog.settings import Settings

LOG = logging.getLogger("multisite.identity.watchdog")

# In Keystone's own database, for nothing else is replicated.  Keystone and its migrations know nothing of it.
_TABLE = """
CREATE TABLE IF NOT EXISTS keystone.multisite_canary (
  site VARCHAR(64) PRIMARY KEY, beats BIGINT NOT NULL, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB"""
_BEAT = """
INSERT INTO keystone.multisite_canary (site, beats) VALUES (%s, 1)
ON DUPLICATE KEY UPDATE beats = beats + 1, at = CURRENT_TIMESTAMP(3)"""


class Canary:
    """Writes the row at a watchdog's master."""

    def __init__(self, settings: Settings, site: str) -> None:
        self._settings, self._site = settings, site
        self._prepared, self._well = False, True

    def beat(self) -> None:
        """Once; a master that is away, or not in the primary component, is logged once."""
        master = self._settings.master(self._site)
        try:
            with session(self._settings, master.address, master.port) as cursor:
                if not self._prepared:
                    cursor.execute(_TABLE)
                    self._prepared = True
                cursor.execute(_BEAT, (self._site,))
            self._well = True
        except ERRORS as error:
            if self._well:
                LOG.warning("canary at %s: %s", self._site, message(error))
            self._well = False
