"""Restore points that are kept restored at the target of their protection; a recovery takes one over."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.standby import Standby, StandbyState
from multisite.store.models import StandbyRow
from multisite.store.repository import Repository, equal


class StandbyRepository(Repository[Standby, StandbyRow]):
    row_type, item_type, noun = StandbyRow, Standby, "standby"

    def list(self, protections: Sequence[str] | None = None) -> list[Standby]:
        """Newest first; of these protections (ids), None: of all."""
        where = [] if protections is None else [StandbyRow.protection_id.in_(protections)]
        return self._select(*where, order_by=[StandbyRow.created_at], newest_first=True)

    def of_point(self, restore_point_id: str, target_site: str) -> builtins.list[Standby]:
        """Newest first."""
        where = equal((StandbyRow.restore_point_id, restore_point_id), (StandbyRow.target_site, target_site))
        return self._select(*where, order_by=[StandbyRow.created_at], newest_first=True)

    def of_job(self, job_id: str) -> Standby | None:
        """The one whose volumes a job restores."""
        return next(iter(self._select(StandbyRow.job_id == job_id)), None)

    def project_of_job(self, job_id: str) -> str | None:
        """Id, at the target, of the project that its volumes are in; None: the default."""
        found = self.of_job(job_id)
        return (found.site_project_id or None) if found else None

    def claim(self, id: str, recovery_id: str) -> None:
        """Give it to a recovery, in the session that begins that; Conflict when it is not ready any more."""

        def taken(known: Standby) -> Standby:
            if known.state is not StandbyState.READY:
                by = f", by recovery {known.recovery_id}" if known.recovery_id else ""
                raise Conflict(
                    f"standby: the volumes of restore point {known.restore_point_id} are {known.state} by now{by}: "
                    "start again, then it is decided anew"
                )
            return replace(known, state=StandbyState.CLAIMED, recovery_id=recovery_id)

        try:
            self.change(id, taken)
        except NotFound as error:
            raise Conflict(
                "standby: its volumes were removed meanwhile: start again, then it is decided anew"
            ) from error

    def _refused(self, item: Standby) -> str:
        return f"standby: restore point {item.restore_point_id} is kept at {item.target_site} already"
