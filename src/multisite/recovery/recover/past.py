"""Past recoveries: how fast a target was by a method, and how long they took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

from multisite.domain.errors import NotFound
from multisite.domain.model import Recovery, RecoveryState
from multisite.domain.page import Page
from multisite.jobs.engine import JobEngine
from multisite.recovery.recover.speed import SpeedModel, measured
from multisite.store.database import Database
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository

RUNS = 5
"""So many of the newest count."""
LOOKED_AT = 200
"""So many of the newest recoveries, in whatever site."""


class PastRecoveries:
    """``restores_at_once``: in a site."""

    def __init__(self, database: Database, jobs: JobEngine, restores_at_once: int) -> None:
        self._recoveries = RecoveryRepository(database)
        self._points = RestorePointRepository(database)
        self._jobs, self._restores_at_once = jobs, restores_at_once

    def method(self, recovery: Recovery) -> str | None:
        """Of its restore point, of one begun by an earlier release as far as that is known still."""
        if recovery.method is not None:
            return recovery.method
        with suppress(NotFound):
            return self._points.get(recovery.restore_point_id).method
        return None

    def speeds(self, target: str, method: str) -> list[SpeedModel]:
        """Of the newest ``RUNS`` by a method that were carried out in a site to the end, and restored everything."""
        found: list[SpeedModel] = []
        for recovery in self._recoveries.list(state=RecoveryState.DONE, page=Page(limit=LOOKED_AT)):
            if recovery.target_site != target or recovery.warm or self.method(recovery) != method:
                continue
            with suppress(NotFound):  # its job is forgotten by now
                speed = measured(self._jobs.get(recovery.job_id), self._restores_at_once)
                found += [speed] if speed else []
            if len(found) == RUNS:
                break
        return found

    def took(self, past: Iterable[Recovery], method: str | None, *, warm: bool) -> list[float]:
        """Seconds that those by this method took, as warm or cold as the next one; of ``RUNS`` at most.

        ``past``: newest first, drills among them.
        """
        return list(islice(self._took(past, method, warm), RUNS))

    def _took(self, past: Iterable[Recovery], method: str | None, warm: bool) -> Iterator[float]:
        for recovery in past:
            if recovery.rto_seconds is not None and recovery.warm == warm and self.method(recovery) == method:
                yield recovery.rto_seconds
