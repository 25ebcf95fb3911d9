"""Keeps the newest restore points of protections restored at their targets: looks what there is, and begins jobs.

One process at a time looks (the task's lease), and a job begins in the transaction that writes its row, of which there
is one for each restore point and target: none is restored twice.  Targets do not wait for each other.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from multisite.domain import work
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.manifest import digest_of, dump
from multisite.domain.model import Protection, RestorePointState
from multisite.domain.standby import MOST, Act, Standby, StandbyPlan, StandbyState, Wanted, decide
from multisite.jobs.engine import JobEngine
from multisite.jobs.view import AT_REST
from multisite.periodic.lease import LeaseLost
from multisite.periodic.site_threads import SiteThreads
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.standby import KeepsStandby
from multisite.recovery.protect.points import KnownPoints
from multisite.recovery.recover.decider import Decider
from multisite.recovery.recover.kept_plan import KeptPlan
from multisite.recovery.recover.known_rules import KnownRules
from multisite.recovery.recover.mapping import parse
from multisite.recovery.standby.job import KIND, StandbyOrder
from multisite.recovery.standby.look import StandbyCheck
from multisite.recovery.standby.statuses import StandbyStatus, status_of
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import FINAL, RecoveryRepository
from multisite.store.standby import StandbyRepository

LOG = logging.getLogger(__name__)

SECONDS = 15.0
"""Between two looks."""
WHO = "multisite"
_DOUBTFUL = (RestorePointState.MISSING, RestorePointState.UNKNOWN)
"""Not deleted: the store, or the file that tells which copy is the application, may be mended."""


@dataclass(frozen=True)
class _Item:
    """``protection`` None: it was deleted, and its volumes go."""

    protection: Protection | None
    known: tuple[Standby, ...]


class StandbyService:
    """``run`` is the periodic task's.  ``decider`` decides how volumes are restored at a target."""

    def __init__(
        self,
        database: Database,
        points: KnownPoints,
        jobs: JobEngine,
        decider: Decider,
        check: StandbyCheck,
        methods: Mapping[str, ProtectionMethod],
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._points, self._jobs = database, points, jobs
        self._decider, self._check, self._methods, self._now = decider, check, methods, now
        self._rows = StandbyRepository(database)
        self._protections = ProtectionRepository(database)
        self._recoveries = RecoveryRepository(database)
        self._rules = KnownRules(database)
        self._threads = SiteThreads("standby", self._work)

    def check_wanted(self, method: str, target_site: str | None, count: int) -> None:
        """Raise Invalid, naming the field, when a protection like this cannot keep so many."""
        if not 0 <= count <= MOST:
            raise Invalid(f"standby: {count} is not from 0 to {MOST}")
        if count and target_site is None:
            raise Invalid("standby: the protection has no target site to keep volumes at: name one")
        if count and method in self._methods and not isinstance(self._methods[method], KeepsStandby):
            raise Invalid(
                f"standby: the method {method} has the data at the target already: its recovery is a promotion as it is"
            )

    def set(self, caller: Caller, protection_id: str, count: int) -> Protection:
        """Keep so many of its newest restore points restored at the target; 0 removes what there is.

        Raises NotFound, Invalid as ``check_wanted``.
        """
        found = self._protections.get(protection_id, caller.scope)
        self.check_wanted(found.method, found.target_site, count)
        changed = self._protections.change(found.id, lambda known: replace(known, standby=count))
        LOG.info("protection %s: standby %d by %s", found.id, count, caller.user_name)
        return changed

    def of(self, protections: Sequence[Protection]) -> dict[str, StandbyStatus]:
        """By id of the protection, in one read."""
        known = self._rows.list([protection.id for protection in protections])
        return {p.id: status_of(p, [one for one in known if one.protection_id == p.id]) for p in protections}

    def run(self) -> None:
        """Look at every protection that keeps some, or has some left; a target at work before is left alone."""
        known = self._rows.list()
        there = {protection.id: protection for protection in self._protections.list()}
        wanted = {id for id, one in there.items() if one.standby} | {one.protection_id for one in known}
        by_site: dict[str, list[_Item]] = {}
        for id in sorted(wanted):
            mine = tuple(one for one in known if one.protection_id == id)
            site = mine[0].target_site if mine else str(there[id].target_site)
            by_site.setdefault(site, []).append(_Item(there.get(id), mine))
        self._threads.begin(by_site)

    def settle(self, seconds: float = 60.0) -> None:
        """Wait for what was begun."""
        self._threads.settle(seconds)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    def _work(self, items: list[_Item]) -> None:
        for item in items:
            project = item.protection.project_id if item.protection else item.known[0].project_id
            id = item.protection.id if item.protection else item.known[0].protection_id
            try:
                with work.doing(work.Work(WHO, project, subject=id)):
                    self._look(item)
            except LeaseLost:
                return  # another process goes on
            except MultisiteError as error:  # changed meanwhile, or the store is away: looked at again
                LOG.info("standby of protection %s: %s", id, error)
            except Exception:  # the others' turn must come whatever befalls this one
                LOG.exception("standby of protection %s", id)

    def _look(self, item: _Item) -> None:
        protection, known = item.protection, item.known
        if protection is None or not protection.standby or not protection.target_site:
            self._carry_out(protection, self._plan(Wanted(0), known))
        elif not protection.paused:
            known = tuple(self._check.checked(one) for one in known)
            self._carry_out(protection, self._plan(self._wanted(protection), known))

    def _plan(self, wanted: Wanted, known: Sequence[Standby]) -> StandbyPlan:
        claimed = {one.recovery_id for one in known if one.state is StandbyState.CLAIMED}
        ended = {id for id in claimed if id is not None and self._ended(id)}
        return decide(wanted, known, ended, self._now())

    def _ended(self, recovery_id: str) -> bool:
        """Its job is at rest for good: it takes nothing over any more."""
        try:
            recovery = self._recoveries.get(recovery_id)
        except NotFound:
            return True
        with suppress(NotFound):
            return recovery.state in FINAL and self._jobs.get(recovery.job_id).state in AT_REST
        return True

    def _wanted(self, protection: Protection) -> Wanted:
        """By the restore points there are.  Raises StoreUnavailable.

        Those that no protection is known of, too: the database may have been lost since.
        """
        points = [
            point
            for point in self._points.certain(protection.application_id)
            if point.protection_id in (protection.id, None) and point.consistent_at is not None
        ]
        points.sort(key=lambda point: str(point.consistent_at), reverse=True)
        usable = [point.id for point in points if point.state is RestorePointState.AVAILABLE]
        doubtful = [point.id for point in points if point.state in _DOUBTFUL]
        return Wanted(protection.standby, protection.target_site, tuple(usable), frozenset(doubtful))

    def _carry_out(self, protection: Protection | None, plan: StandbyPlan) -> None:
        for act, one in plan.acts:
            try:
                self._do(act, one)
            except (Conflict, NotFound) as error:  # claimed, or gone on, meanwhile
                LOG.info("standby of restore point %s: %s", one.restore_point_id, error)
        if protection is not None and plan.start is not None:
            self._start(protection, plan.start, plan.attempts)

    def _do(self, act: Act, one: Standby) -> None:
        LOG.info("standby of restore point %s in %s: %s", one.restore_point_id, one.target_site, act)
        if act is Act.FORGET or one.job_id is None:
            self._rows.delete(one.id)
        elif act is Act.CANCEL:
            self._jobs.cancel(one.job_id, WHO)
        else:
            self._jobs.undo(one.job_id, WHO)

    def _start(self, protection: Protection, point_id: str, attempts: int) -> None:
        """Begin to restore; what is in the way is kept, to be shown and tried again."""
        fresh = Standby(
            str(uuid.uuid4()), protection.id, protection.application_id, protection.application,
            protection.project_id, point_id, str(protection.target_site), StandbyState.REFRESHING,
            created_at=self._now(), attempts=attempts,
        )  # fmt: skip
        try:
            planned = self._planned(protection, point_id)
        except MultisiteError as error:
            said = f"restore point {point_id} cannot be restored at {fresh.target_site}, and is tried again: {error}"
            LOG.warning("standby of protection %s of %s: %s", protection.id, protection.application, said)
            failed = replace(fresh, state=StandbyState.FAILED, tried_at=self._now(), attempts=attempts + 1)
            self._replace(replace(failed, error=said))
            return
        manifest = planned.manifest
        roots = {server.volume_ids[0] for server in manifest.servers if server.volume_ids}
        bootable = {volume.id for volume in manifest.volumes if volume.bootable} | roots
        order = StandbyOrder(
            fresh.id, point_id, digest_of(dump(manifest)), fresh.target_site, planned.project_id, planned.volumes,
            tuple(sorted(bootable)),
        )  # fmt: skip
        fresh = replace(fresh, digest=order.digest, site_project_id=order.site_project_id)
        title = f"Keep restore point {point_id} of {protection.application} restored in {fresh.target_site}"
        with self._database.session():  # job and row: both or neither
            job_id = self._jobs.start(
                KIND, order, title=title, project_id=protection.project_id, requested_by=WHO, subject=fresh.id
            )
            self._replace(replace(fresh, job_id=job_id))

    def _planned(self, protection: Protection, point_id: str) -> KeptPlan:
        """By the rules that are known best.  Raises Conflict naming what is in the way, and as a preview."""
        caller, target = _reader(protection.project_id), str(protection.target_site)
        _, mapping = self._rules.of(protection, target)
        manifest = self._decider.manifest(caller, point_id)
        return self._decider.volumes(caller, manifest, target, parse(mapping))

    def _replace(self, fresh: Standby) -> None:
        """In place of the one that failed before.  Conflict when there is another one."""
        with self._database.session():
            for before in self._rows.of_point(fresh.restore_point_id, fresh.target_site):
                if before.protection_id == fresh.protection_id and before.state is StandbyState.FAILED:
                    self._rows.delete(before.id)
            self._rows.add(fresh)


def _reader(project_id: str) -> Caller:
    return Caller(WHO, WHO, project_id, "", frozenset({"reader"}), "")
