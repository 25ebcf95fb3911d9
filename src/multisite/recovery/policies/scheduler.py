"""Carries policies out: a periodic task that begins the runs that are due, the deletions and the drills.

A run and the end of its tick are written in one transaction, so that however many processes look and wherever one
dies no tick is run twice, and none not at all.  Sites do not wait for each other: each has a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from multisite.domain import work
from multisite.domain.errors import Conflict, MultisiteError, NotFound
from multisite.domain.model import Protection
from multisite.domain.policy import ProtectionPolicy, ProtectionSchedule
from multisite.jobs.engine import JobEngine
from multisite.periodic.lease import LeaseLost
from multisite.periodic.site_threads import SiteThreads
from multisite.recovery.policies.asked import caller_of
from multisite.recovery.policies.drills import ScheduledDrills
from multisite.recovery.policies.retention import Looked, PolicyRetention
from multisite.recovery.policies.service import with_tick
from multisite.recovery.policies.ticks import Due, Tick, due, put_off_seconds
from multisite.recovery.protect.job import KIND as PROTECT
from multisite.recovery.protect.service import ProtectionService, ScheduledRun
from multisite.recovery.recover.drills.service import DrillService
from multisite.store.database import Database
from multisite.store.policies import PolicyRepository, ProtectionScheduleRepository
from multisite.store.protections import ProtectionRepository
from multisite.store.types import now

LOG = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two looks for what is due."""
BUSY = 15.0
"""Seconds until it is looked again while another job has the application."""
RETENTION = 600.0
"""Seconds between two looks for restore points to delete, while there are none."""


@dataclass(frozen=True)
class _Item:
    state: ProtectionSchedule
    protection: Protection
    policy: ProtectionPolicy


class PolicyScheduler:
    """``run`` is the periodic task's.  ``drills`` None: none are begun."""

    def __init__(
        self,
        database: Database,
        protections: ProtectionService,
        jobs: JobEngine,
        clock: Callable[[], datetime] = now,
        drills: DrillService | None = None,
    ) -> None:
        self._schedules = ProtectionScheduleRepository(database)
        self._policies = PolicyRepository(database)
        self._rows = ProtectionRepository(database)
        self._protections, self._jobs, self._clock = protections, jobs, clock
        self._retention = PolicyRetention(database, protections)
        self._drills = ScheduledDrills(database, drills, clock) if drills else None
        self._threads = SiteThreads("policy", self._work)

    def run(self) -> None:
        """Begin what is due; a site that is still at work with what was due before is left alone."""
        by_site: dict[str, list[_Item]] = {}
        for state in self._schedules.due(self._clock()):
            try:
                item = _Item(state, self._rows.get(state.id), self._policies.get(state.policy_id))
            except NotFound:  # deleted meanwhile
                continue
            by_site.setdefault(item.protection.site, []).append(item)
        self._threads.begin(by_site)

    def settle(self, seconds: float = 60.0) -> None:
        """Wait for what was begun."""
        self._threads.settle(seconds)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    def _work(self, items: list[_Item]) -> None:
        for item in items:
            asked = item.state.asked_by
            about = work.Work(str(asked["user_name"]), item.protection.project_id, subject=item.protection.id)
            try:
                with work.doing(about):
                    self._look(item)
            except LeaseLost:
                return  # another process goes on
            except Conflict as error:  # the policy was changed meanwhile: looked at again
                LOG.info("policy %s of protection %s: %s", item.policy.name, item.protection.id, error)
            except Exception:  # the others' turn must come whatever befalls this one
                LOG.exception("policy %s of protection %s", item.policy.name, item.protection.id)

    def _look(self, item: _Item) -> None:
        present = self._clock()
        if item.state.due_at is not None and item.state.due_at <= present:
            item = replace(item, state=self._tick(item, present))
        if item.state.retention_at is not None and item.state.retention_at <= present:
            item = replace(item, state=self._delete(item, present))
        if self._drills is not None:
            self._drills.look(item.state, item.protection, item.policy)

    def _tick(self, item: _Item, present: datetime) -> ProtectionSchedule:
        """The state after it."""
        state, policy = item.state, item.policy
        assert state.tick_at is not None
        assert state.due_at is not None
        tick = Tick(state.tick_at, state.due_at, state.backup)
        found = due(policy, state.id, state.since, tick, present)
        if policy.paused or item.protection.paused:
            return self._change(state, with_tick(state, policy, present))
        busy = next(iter(self._jobs.list(subject=item.protection.application_id, settled=False)), None)
        if busy is None:
            return self._begin(item, found, present)
        if busy.kind == PROTECT:
            said = (
                f"the run of {found.tick.at:%Y-%m-%d %H:%M} UTC was skipped: job {busy.id} was still at work"
            )
            LOG.warning("protection %s of %s: %s", state.id, item.protection.application, said)
            counts = {"skipped": state.skipped + 1, "missed": state.missed + found.missed}
            return self._change(state, _following(state, policy, found, present, note=said, **counts))
        said = f"the run of {found.tick.at:%Y-%m-%d %H:%M} UTC waits for job {busy.id} ({busy.title})"
        return self._change(
            state, replace(self._counted(state, found), due_at=_later(present, BUSY), note=said)
        )

    def _begin(self, item: _Item, found: Due, present: datetime) -> ProtectionSchedule:
        state, policy = item.state, item.policy
        missed = _missed(found)
        after: list[ProtectionSchedule] = []

        def begun(job_id: str) -> None:
            """In the transaction of the job: both or neither."""
            told: dict[str, Any] = {
                "note": missed,
                "runs": state.runs + 1,
                "missed": state.missed + found.missed,
            }
            told |= {"last_run_at": present, "last_job_id": job_id}
            after.append(self._change(state, _following(state, policy, found, present, **told)))

        notes = (missed,) if missed else ()
        scheduled = ScheduledRun(policy.name, found.tick.at, notes, begun)
        try:
            caller = caller_of(state.asked_by)
            self._protections.run(caller, state.id, found.tick.backup.incremental, scheduled)
        except LeaseLost:
            raise
        except MultisiteError as error:
            return self._put_off(item, found, present, str(error))
        if missed:
            LOG.warning("protection %s of %s: %s", state.id, item.protection.application, missed)
        return after[-1]

    def _put_off(self, item: _Item, found: Due, present: datetime, why: str) -> ProtectionSchedule:
        state = self._counted(item.state, found)
        seconds = put_off_seconds(state.attempts)
        said = f"the run of {found.tick.at:%Y-%m-%d %H:%M} UTC could not begin, and is tried again: {why}"
        LOG.warning("protection %s of %s: %s", state.id, item.protection.application, said)
        put_off = replace(
            state, due_at=_later(present, seconds), attempts=min(state.attempts + 1, 10), note=said
        )
        return self._change(item.state, put_off)

    def _counted(self, state: ProtectionSchedule, found: Due) -> ProtectionSchedule:
        """Of several that are due only the newest waits; the others are missed."""
        if not found.missed:
            return state
        missed = state.missed + found.missed
        return replace(state, tick_at=found.tick.at, backup=found.tick.backup, missed=missed, attempts=0)

    def _delete(self, item: _Item, present: datetime) -> ProtectionSchedule:
        state = item.state
        try:
            caller = caller_of(state.asked_by)
            looked = self._retention.delete_next(caller, item.protection, item.policy, present)
        except LeaseLost:
            raise
        except MultisiteError as error:
            looked = Looked(f"nothing is deleted now, and it is tried again: {error}", soon=True)
        if looked.note is not None and looked.note != state.retention_note:
            LOG.info("protection %s of %s: %s", state.id, item.protection.application, looked.note)
        again = _later(present, BUSY if looked.soon else RETENTION)
        return self._change(state, replace(state, retention_at=again, retention_note=looked.note))

    def _change(self, before: ProtectionSchedule, after: ProtectionSchedule) -> ProtectionSchedule:
        self._schedules.go_on(before, after)
        return after


def _following(
    state: ProtectionSchedule, policy: ProtectionPolicy, found: Due, present: datetime, **more: Any
) -> ProtectionSchedule:
    """It waits for the tick after the one that was due; what went by uncounted is not run either."""
    after = with_tick(state, policy, found.tick.at, **more)
    if after.due_at is None or after.due_at > present:
        return after
    return with_tick(state, policy, present, **more)


def _later(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)


def _missed(found: Due) -> str | None:
    if not found.missed:
        return None
    return (
        f"{found.missed} runs were missed, the first of {found.first:%Y-%m-%d %H:%M} UTC: "
        "one is made in their place"
    )
