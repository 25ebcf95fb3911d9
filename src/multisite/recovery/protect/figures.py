"""What earlier runs and recoveries tell of the next ones: read from the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from multisite.domain.errors import NotFound
from multisite.domain.model import Application, RestorePoint, RestorePointState
from multisite.domain.page import Page
from multisite.jobs.engine import JobEngine
from multisite.jobs.view import Job
from multisite.recovery.methods.estimates import Every, Figures, PastRecovery, PastRun
from multisite.recovery.recover.past import PastRecoveries
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.restore_points import RestorePointRepository

RUNS = 5
"""So many of the newest count, of each kind."""


class PastFigures:
    """``restores_at_once``: in a site."""

    def __init__(
        self, database: Database, jobs: JobEngine, restores_at_once: int, methods: Collection[str]
    ) -> None:
        self._points = RestorePointRepository(database)
        self._protections = ProtectionRepository(database)
        self._past = PastRecoveries(database, jobs, restores_at_once)
        self._jobs, self._methods = jobs, methods

    def of(self, application: Application, target: str | None, every: Every | None) -> Figures:
        """Of the application, of others in its site, and of recoveries in the target."""
        runs = (*self._own(application), *self._others(application))
        past = [
            PastRecovery(method, speed)
            for method in (self._methods if target else ())
            for speed in self._past.speeds(str(target), method)
        ]
        return Figures(runs, tuple(past), every)

    def _own(self, application: Application) -> Iterator[PastRun]:
        usable = RestorePointState.AVAILABLE
        for point in self._points.list(application_id=application.id, state=usable, page=Page(limit=RUNS)):
            if run := self._run(point, own=True):
                yield run

    def _others(self, application: Application) -> Iterator[PastRun]:
        """The newest of each other protection in the site."""
        found = 0
        for protection in self._protections.list():
            if protection.site != application.site or protection.application_id == application.id:
                continue
            point = self._point(protection.last_restore_point)
            if point is not None and (run := self._run(point, own=False)):
                yield run
                found += 1
            if found == RUNS:
                return

    def _run(self, point: RestorePoint, *, own: bool) -> PastRun | None:
        job = self._job(point.job_id)
        if job is None or job.ended_at is None or point.consistent_at is None:
            return None
        seconds = (job.ended_at - point.consistent_at).total_seconds()
        return PastRun(
            point.method, own, point.incremental, point.size_gib or 0, seconds, point.frozen_seconds
        )

    def _point(self, id: str | None) -> RestorePoint | None:
        try:
            return self._points.get(id) if id else None
        except NotFound:
            return None

    def _job(self, id: str | None) -> Job | None:
        try:
            return self._jobs.get(id) if id else None
        except NotFound:  # forgotten by now
            return None
