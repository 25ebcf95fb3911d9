"""Protections without sites: a run is a row that is there at once, in chains as the method makes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, MultisiteError
from multisite.domain.model import Application, Member, Protection, RestorePoint, RestorePointState, Site
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.recovery.policies.service import PolicyService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.policies import ProtectionScheduleRepository
from multisite.store.protections import ProtectionRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.sites import SiteRepository

START = datetime(2026, 3, 1, tzinfo=UTC)  # a Sunday
ANN = Caller("u1", "ann", "p1", "vnf", frozenset({"member"}), "req-1", "Default")
BOB = Caller("u2", "bob", "p2", "other", frozenset({"member"}), "req-2", "Default")


class Clock:
    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def to(self, moment: datetime) -> None:
        self.moment = moment

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


@dataclass
class Job:
    """As far as the scheduler looks at one."""

    id: str
    kind: str
    title: str = "a job"


class Points:
    """What the service's ``points`` does, without a store."""

    def __init__(self, rows: RestorePointRepository) -> None:
        self.rows = rows

    def certain(self, application_id: str) -> list[RestorePoint]:
        return self.rows.list(application_id=application_id)

    def newest(self, applications: Any) -> dict[str, list[RestorePoint]]:
        found = self.rows.newest(applications)
        return {id: [point for point in found if point.application_id == id] for id in applications}

    def carrying(self, applications: Any, most: int) -> dict[str, list[RestorePoint]]:
        found = self.rows.carrying(applications, most)
        return {id: [point for point in found if point.application_id == id] for id in applications}


class Protections:
    """In place of ``ProtectionService``: ``made`` has each run's tick, ``refusal`` is raised by the next runs."""

    def __init__(self, database: Database, clock: Clock, full_every: int = 7) -> None:
        self.database, self.clock, self.full_every = database, clock, full_every
        self.rows, self.points = ProtectionRepository(database), Points(RestorePointRepository(database))
        self.made: list[tuple[datetime, bool | None]] = []
        self.notes: list[tuple[str, ...]] = []
        self.callers: list[Caller] = []
        self.refusal: MultisiteError | None = None
        self.before: Any = lambda: None

    def get(self, caller: Caller, id: str) -> Protection:
        return self.rows.get(id, caller.scope)

    def run(self, caller: Caller, id: str, incremental: bool | None, scheduled: Any) -> str:
        if self.refusal is not None:
            raise self.refusal
        protection = self.get(caller, id)
        self.before()
        held = self.points.certain(protection.application_id)
        parent = self._parent(held, incremental)
        job_id = str(uuid.uuid4())
        with self.database.session():
            self.points.rows.add(
                RestorePoint(
                    id=f"{self.clock.moment:%d-%H%M%S}-{job_id[:4]}", application_id=protection.application_id,
                    application="mme", project_id="p1", protection_id=id, method="consistent-backup",
                    state=RestorePointState.AVAILABLE, incremental=parent is not None,
                    parent_id=parent.id if parent else None, created_at=self.clock.moment,
                    consistent_at=self.clock.moment, job_id=job_id,
                )
            )  # fmt: skip
            scheduled.begun(job_id)
        self.made.append((scheduled.tick_at, incremental))
        self.notes.append(scheduled.notes)
        self.callers.append(caller)
        return job_id

    def _parent(self, held: list[RestorePoint], incremental: bool | None) -> RestorePoint | None:
        if incremental is False or not held:
            return None
        by_id, chain, one = {p.id: p for p in held}, 1, held[0]
        while one.parent_id is not None:
            one, chain = by_id[one.parent_id], chain + 1
        return None if incremental is None and chain >= self.full_every else held[0]

    def delete_restore_point(self, _caller: Caller, id: str, _why: str = "") -> None:
        children = [p.id for p in self.points.rows.list() if p.parent_id == id]
        if children:
            raise Conflict(f"restore point: {children} builds on {id}")
        self.points.rows.delete(id)


class Jobs:
    """In place of the engine: ``at_work`` is what has the application."""

    def __init__(self) -> None:
        self.at_work: Job | None = None

    def list(self, *, subject: str, settled: bool) -> list[Job]:
        assert subject == "a1"
        assert not settled
        return [self.at_work] if self.at_work else []


class Setup:
    """One application, one protection, one database that several schedulers share."""

    def __init__(self, database: Database, full_every: int = 7) -> None:
        self.database, self.clock, self.jobs = database, Clock(), Jobs()
        self.protections = Protections(database, self.clock, full_every)
        self.schedules = ProtectionScheduleRepository(database)
        self.service = PolicyService(database, self.protections, self.clock)  # type: ignore[arg-type]
        SiteRepository(database).add(Site("s1", "paris", "paris", "R", ""))
        members = (Member("i1", "mme-1", 1),)
        ApplicationRepository(database).add(Application("a1", "mme", "p1", "paris", members))
        row = Protection("pr1", "a1", "mme", "p1", "consistent-backup", "paris", "lyon", created_at=START)
        ProtectionRepository(database).add(row)
        self.scheduler = self.another()

    def another(self, database: Database | None = None) -> PolicyScheduler:
        """A scheduler of another process."""
        protections = self.protections
        if database is not None:
            protections = Protections(database, self.clock, self.protections.full_every)
            protections.made, protections.before = self.protections.made, self.protections.before
        return PolicyScheduler(database or self.database, protections, self.jobs, self.clock)  # type: ignore[arg-type]

    def policy(self, **given: Any) -> str:
        """Made, and given to the protection."""
        made = self.service.create(ANN, f"p{len(self.service.list(ANN))}", **given)
        self.service.assign(ANN, "pr1", {"policy": made.name})
        return made.id

    def look(self) -> None:
        self.scheduler.run()
        self.scheduler.settle()

    def let_pass(self, until: datetime, step: timedelta) -> None:
        while self.clock.moment < until:
            self.clock.to(min(until, self.clock.moment + step))
            self.look()

    @property
    def state(self) -> Any:
        (found,) = self.schedules.list()
        return found

    def pause(self, paused: bool = True) -> None:
        self.service.assign(ANN, "pr1", {"paused": paused})

    @property
    def kept(self) -> list[RestorePoint]:
        """Oldest first."""
        return self.protections.points.certain("a1")[::-1]

    def mark(self, id: str, **changes: Any) -> None:
        rows = self.protections.points.rows
        rows.save(replace(rows.get(id), **changes))


@contextmanager
def setup_in(path: Any, full_every: int = 7) -> Iterator[Setup]:
    database = Database(f"sqlite:///{path}/multisite.db")
    database.upgrade()
    made = Setup(database, full_every)
    try:
        yield made
    finally:
        made.scheduler.close()
        database.close()
