"""Looking from time to time whether the volumes that are kept are still there, and those of their restore point."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from multisite.clouds import resources
from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.clouds.standby import KeptVolume, unusable
from multisite.domain.errors import NotFound
from multisite.domain.standby import Standby, StandbyState
from multisite.jobs.engine import JobEngine
from multisite.store.standby import StandbyRepository

LOG = logging.getLogger(__name__)

SECONDS = 300.0
"""Between two looks at the same volumes."""


class StandbyCheck:
    """What it finds to be unusable is removed, and restored anew."""

    def __init__(
        self, clouds: Sites, jobs: JobEngine, rows: StandbyRepository, now: Callable[[], datetime]
    ) -> None:
        self._clouds, self._jobs, self._rows, self._now = clouds, jobs, rows, now

    def checked(self, one: Standby) -> Standby:
        """As it is after a look, where one is due."""
        due = one.checked_at is None or self._now() >= one.checked_at + timedelta(seconds=SECONDS)
        if one.state is not StandbyState.READY or not due:
            return one
        try:
            why = self._why(one)
        except SiteError as error:
            said = f"whether the volumes at {one.target_site} are still there is not known: {error}"
            return self._keep(one, replace(one, error=said))
        if why is None:
            return self._keep(one, replace(one, checked_at=self._now(), error=None))
        LOG.warning("standby of restore point %s of %s: %s", one.restore_point_id, one.application, why)
        if one.job_id is not None:
            self._jobs.undo(one.job_id, "multisite")
        return replace(one, state=StandbyState.REMOVING, error=why)

    def _why(self, one: Standby) -> str | None:
        site = self._clouds.open(
            one.target_site, for_project=one.project_id, project=one.site_project_id or None
        )
        there = {str(row["id"]): row for row in resources.list_all(site, "volume")}
        for volume in one.volumes:
            kept = KeptVolume(
                volume.id, volume.token, one.digest, volume.size_gib, updated_at=volume.updated_at
            )
            if why := unusable(there.get(volume.id), kept, site.project_id):
                return f"volume {volume.id} {why}: the restore point is restored anew"
        return None

    def _keep(self, before: Standby, wanted: Standby) -> Standby:
        """If nobody has gone on with it."""

        def change(known: Standby) -> Standby:
            same = known.state is before.state
            return replace(known, checked_at=wanted.checked_at, error=wanted.error) if same else known

        try:
            return self._rows.change(before.id, change)
        except NotFound:
            return before
