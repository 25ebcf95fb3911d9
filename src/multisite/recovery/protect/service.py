"""What operators do to protect applications: decide how, run it, look at the restore points it made."""

from __future__ import annotations

import builtins
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from multisite.applications.service import ApplicationService
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import SiteError
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict
from multisite.domain.manifest import Manifest
from multisite.domain.model import Application, Capability, Protection, RestorePoint, RestorePointState
from multisite.domain.page import ALL, Page
from multisite.domain.retention import BEING_DELETED
from multisite.jobs.engine import JobEngine
from multisite.recovery.data import looked_at, remembered
from multisite.recovery.epochs import EpochStore
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import (
    PlannedRun,
    ProtectDependencies,
    ProtectionMethod,
    RunRequest,
    checked_options,
)
from multisite.recovery.methods.estimates import Every
from multisite.recovery.methods.offers import Choice
from multisite.recovery.methods.table import METHODS
from multisite.recovery.protect.choice import MethodChoice
from multisite.recovery.protect.figures import PastFigures
from multisite.recovery.protect.forget import KIND as FORGET
from multisite.recovery.protect.forget import forget_kind, forget_params
from multisite.recovery.protect.job import KIND as PROTECT
from multisite.recovery.protect.job import protect_kind
from multisite.recovery.protect.points import GONE, KnownPoints
from multisite.recovery.protect.runs import begun, order_of, refuse_while_moving
from multisite.recovery.protect.steps import refuse_in_use
from multisite.recovery.protect.targets import TargetChecks, in_order
from multisite.recovery.rows import as_restore_point, unowned
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository

LOG = logging.getLogger(__name__)

# A missing one may have come back with its store since the store was last read.
_KEPT = (RestorePointState.AVAILABLE, RestorePointState.MISSING)


@dataclass(frozen=True)
class ScheduledRun:
    """A run by a ``policy`` (its name): for which tick, and what an operator should know of it.

    ``begun`` is called with the job's id in the transaction that starts it: what it raises lets nothing of it happen.
    """

    policy: str
    tick_at: datetime
    notes: tuple[str, ...]
    begun: Callable[[str], None]


class ProtectionService:
    """The verbs.  Callers see what is of their project, administrators everything.

    ``capabilities`` asks a site what it can do (``clouds.capabilities.discover``), None to leave that out.
    Registers its kinds of job with ``jobs``.
    """

    def __init__(
        self,
        database: Database,
        applications: ApplicationService,
        sites: SiteService,
        manifests: ManifestStore,
        jobs: JobEngine,
        clouds: Sites,
        *,
        backups_per_site: int,
        restores_per_site: int = 4,
        capabilities: Callable[[CloudSite], Sequence[Capability]] | None = None,
        methods: Mapping[str, ProtectionMethod] = METHODS,
    ) -> None:
        self._database = database
        self._protections = ProtectionRepository(database)
        self._restore_points = RestorePointRepository(database)
        self._recoveries = RecoveryRepository(database)
        self._epochs = EpochStore(manifests, ApplicationRepository(database))
        self.points = KnownPoints(self._restore_points, manifests, self._epochs)
        self._applications = applications
        self.keep_members = applications.keep_members
        self._manifests = manifests
        self._jobs = jobs
        self._clouds = clouds
        self._methods = methods
        self._targets = TargetChecks(sites, clouds, methods, capabilities)
        self.check = self._targets.check
        past = PastFigures(database, jobs, restores_per_site, methods)
        self._choice = MethodChoice(clouds, past, methods, self._targets.can)
        self.dependencies = dependencies = ProtectDependencies(
            sites=clouds,
            manifests=manifests,
            restore_points=self._restore_points,
            protections=self._protections,
            recoveries=self._recoveries,
            backups_per_site=backups_per_site,
        )
        jobs.register(protect_kind(dependencies, methods))
        jobs.register(forget_kind(dependencies, methods))

    def create(
        self,
        caller: Caller,
        application: str,
        method: str,
        *,
        target_site: str | None = None,
        target_sites: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Protection:
        """Decide how an application (name or id) is protected.

        ``target_sites``: where it may be recovered, the preferred one first; ``target_site``: that one.  ``options``
        are the method's own.  Raises NotFound, Invalid naming the field, Conflict when the application's site lacks
        what the method needs.
        """
        found = self._applications.get(caller, application)
        targets = in_order(target_site, target_sites)
        protection = Protection(
            id=str(uuid.uuid4()),
            application_id=found.id,
            application=found.name,
            project_id=found.project_id,
            method=method,
            site=found.site,
            target_site=None,
            options=checked_options(self._methods, method, options or {}),
            created_at=datetime.now(UTC),
        ).aimed_at(targets)
        self.check(caller, protection)
        with self._protections.session_of_targets():
            self._targets.refuse(caller, found.site, targets)
            stored = self._protections.add(protection)
        LOG.info("protection %s of application %s by %s", stored.id, found.name, caller.user_name)
        return stored

    def choose(
        self,
        caller: Caller,
        application: str,
        *,
        target_site: str | None = None,
        target_sites: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
        every: Every | None = None,
    ) -> Choice:
        """Which method would protect an application (name or id), and what each would give; all sites are asked.

        ``every``: how often it would be run.  Raises NotFound, Invalid naming the field.
        """
        known = self._applications.get(caller, application)
        targets = in_order(target_site, target_sites)
        self._targets.refuse(caller, known.site, targets)
        with suppress(SiteError):  # the choice says so, too
            known, _ = self._applications.as_tagged(caller, known)
        return self._choice.preview(known, targets, options or {}, every)

    def set_targets(self, caller: Caller, id: str, targets: Sequence[str]) -> Protection:
        """Let it be recovered in these sites, the preferred one first; none: it has no target any more.

        Raises as ``create``; Conflict while a job is at work on the application.
        """
        known = self.get(caller, id)
        wanted = known.aimed_at(in_order(None, targets))
        self.check(caller, wanted)
        with self._protections.session_of_targets():
            self._refuse_while_busy(known.application_id, known.application)
            self._targets.refuse(caller, self.get(caller, id).site, wanted.target_sites)
            stored = self._protections.change(id, lambda row: row.aimed_at(wanted.target_sites))
        said = ", ".join(wanted.target_sites) or "none"
        LOG.info("protection %s of %s: targets %s by %s", id, known.application, said, caller.user_name)
        return stored

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[Protection]:
        """By application, oldest first."""
        return self._protections.list(caller.scope, page=page)

    def get(self, caller: Caller, id: str) -> Protection:
        """By id; NotFound also for one of another project."""
        return self._protections.get(id, caller.scope)

    def delete(self, caller: Caller, id: str) -> None:
        """Forget a protection; its restore points stay.  Conflict while it runs."""
        protection = self.get(caller, id)
        with self._database.session():
            self._refuse_while_busy(protection.application_id, protection.application)
            self._protections.delete(protection.id)
        LOG.info("protection %s of %s deleted by %s", id, protection.application, caller.user_name)

    def run(
        self, caller: Caller, id: str, incremental: bool | None = None, scheduled: ScheduledRun | None = None
    ) -> str:
        """Protect now: start the job that makes one restore point; returns the job's id.

        ``incremental``: True, False, or None for "as the chain allows".  Raises Conflict naming the job that works on
        the application already, or everything that forbids the run; StoreUnavailable; SiteError.
        """
        protection, application, changes = self.subject(caller, id)
        self._refuse_while_busy(application.id, application.name)
        request, planned = self.plan(protection, application, str(uuid.uuid4()), incremental)
        order = order_of(request, planned, (*(scheduled.notes if scheduled else ()), *changes))
        with self._database.session():  # the check, the row and the job: all or nothing, one at a time
            self._refuse_while_busy(application.id, application.name)
            refuse_while_moving(self._recoveries, application.id, application.name)
            self._applications.keep_members(application)
            by = f", by policy {scheduled.policy}" if scheduled else ""
            title = f"Protect {application.name}: {planned.summary}{by}"
            job_id = self._start(caller, PROTECT, order.to_params(), title, application)
            self._restore_points.add(begun(request, planned, job_id))
            if scheduled:
                scheduled.begun(job_id)
        return job_id

    def subject(self, caller: Caller, id: str) -> tuple[Protection, Application, tuple[str, ...]]:
        """What a run now would be of: the protection, the application with its members, what changed about them.

        Conflict when a recovery made another copy the application.
        """
        protection = self.get(caller, id)
        known = self._applications.get(caller, protection.application_id)
        resolved, changes = self._applications.as_tagged(caller, known)
        return protection, self._the_copy(resolved), tuple(changes)

    def plan(
        self,
        protection: Protection,
        application: Application,
        restore_point_id: str,
        incremental: bool | None = None,
    ) -> tuple[RunRequest, PlannedRun]:
        """What a run now would do; changes nothing.  Raises as ``run``."""
        request = RunRequest(
            application=application,
            protection=protection,
            previous=self._previous(application),
            incremental=incremental,
            restore_point_id=restore_point_id,
            created_at=datetime.now(UTC),
        )
        site = self._clouds.open(application.site, for_project=application.project_id)
        return request, self._methods[protection.method].plan(site, request)

    def restore_points(
        self, caller: Caller, application: str | None = None, page: Page = ALL
    ) -> builtins.list[RestorePoint]:
        """Newest first, of one application (name or id) when given.

        What the backup store holds counts, also when the database has never heard of it; without the
        store, what the database remembers.
        """
        return self.points.known(caller.scope, application, page)

    def restore_point(self, caller: Caller, id: str) -> RestorePoint:
        """By id; NotFound also for one of another project."""
        (found,) = self.points.with_store(lambda: [self._restore_points.get(id, caller.scope)])
        return looked_at(found, self._methods, self._manifests, self.points.manifest_or_none(id))

    def rescan(self, caller: Caller) -> builtins.list[RestorePoint]:
        """Read the whole backup store, verify it, and bring the database in line with it.

        Returns what ``restore_points`` then does; administrators also get the damaged ones nobody can
        tell the application of, as failed.  Raises StoreUnavailable.
        """
        contents = self._manifests.list()
        rows = {row.id: row for row in self._restore_points.list()}
        for manifest in contents.manifests:
            row = rows.pop(manifest.id, None)
            if row is None or row.state != RestorePointState.RUNNING:
                known = (row.protection_id, row.job_id) if row else (None, None)
                point = remembered(as_restore_point(manifest, *known), row)
                self._restore_points.save(looked_at(point, self._methods, self._manifests, manifest))
        problems = {d.id: d.problem for d in contents.damaged}
        for row in rows.values():
            if row.state == RestorePointState.AVAILABLE:
                error = problems.get(row.id, GONE)
                self._restore_points.save(replace(row, state=RestorePointState.MISSING, error=error))
        strays = [unowned(d.id, d.problem) for d in contents.damaged if d.id not in rows]
        return [*self.points.known(caller.scope), *(strays if caller.is_admin else [])]

    def delete_restore_point(self, caller: Caller, id: str, why: str = "") -> str | None:
        """Delete a restore point and its backups; returns the job's id, None when there was nothing to do
        but to forget it.  ``why``: the end of the job's title.

        Raises NotFound; Conflict while another restore point builds on it, a recovery needs it or the
        application is worked on.
        """
        point = self.restore_point(caller, id)
        known = self.points.known(None, point.application_id)
        refuse_in_use(self._recoveries, id, known)
        children = [p.id for p in known if p.parent_id == id and not _useless(p)]
        if children:
            raise Conflict(f"restore point: {', '.join(children)} builds on {id}; delete that first")
        manifest = self.points.manifest_or_none(id)
        if manifest is not None and manifest.method not in self._methods:
            raise Conflict(
                f"restore point: {id} was made by the method {manifest.method!r}, which this release does not"
                " have: delete it with one that has it"
            )
        with self._recoveries.claim(point.application_id):
            refuse_in_use(self._recoveries, id, known)
            self._refuse_while_busy(point.application_id, point.application)
            if manifest is None:
                self._refuse_half_deleted(point)
                self._restore_points.delete(id)
                return None
            title = f"Delete restore point {id} of {point.application}{why}"
            job_id = self._start(caller, FORGET, forget_params(manifest, self._methods), title, point)
            deleted = replace(point, state=RestorePointState.FAILED, error=BEING_DELETED)
            self._restore_points.save(replace(deleted, job_id=job_id))
        return job_id

    def _start(
        self,
        caller: Caller,
        kind: str,
        params: object,
        title: str,
        about: Application | RestorePoint,
    ) -> str:
        subject = about.application_id if isinstance(about, RestorePoint) else about.id
        return self._jobs.start(
            kind,
            params,
            title=title,
            project_id=about.project_id,
            requested_by=caller.user_name,
            request_id=caller.request_id,
            subject=subject,
        )

    def _the_copy(self, application: Application) -> Application:
        """The application in its epoch; Conflict when a recovery made another copy the application."""
        epochs = self._epochs.read(application.id)
        other = epochs.older_copy(application.site, [member.server_id for member in application.members])
        if other is not None:
            raise Conflict(
                f"application {application.name}: recovery {other.recovery_id} made the copy in {other.site} the "
                f"application (epoch {other.number}); the servers described here, in {application.site}, are an "
                f"older copy and are not protected any more: protect it in {other.site} (openstack multisite recovery "
                f"reprotect {other.recovery_id}), or undo that recovery"
            )
        return replace(application, epoch=epochs.number)

    def _refuse_while_busy(self, application_id: str, name: str) -> None:
        self._jobs.claim(application_id, f"application {name}")

    def _refuse_half_deleted(self, point: RestorePoint) -> None:
        job = self._jobs.get(point.job_id) if point.job_id else None
        if job is not None and job.kind == FORGET:
            raise Conflict(f"restore point: {point.id} is half deleted; resume job {job.id}")

    def _previous(self, application: Application) -> Manifest | None:
        """The newest restore point of the application's epoch, by its data.

        The database says which it is and the store whether it is there and whole; of the store nothing else
        is read, but for restore points the database has never heard of, once.
        """
        held = self.points.adopted(self._manifests.ids())
        rows = [
            row
            for row in self._restore_points.list(application_id=application.id)
            if row.consistent_at and row.id in held and row.state in _KEPT and row.epoch == application.epoch
        ]
        found = (self.points.manifest_or_none(row.id) for row in sorted(rows, key=_data_age))
        return next((manifest for manifest in found if manifest is not None), None)


def _data_age(point: RestorePoint) -> float:
    """Sorts by the newest data."""
    return -point.consistent_at.timestamp() if point.consistent_at else 0.0


def _useless(point: RestorePoint) -> bool:
    return point.state in (RestorePointState.FAILED, RestorePointState.MISSING)
