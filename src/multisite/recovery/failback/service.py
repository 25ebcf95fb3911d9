"""What operators do once an application is recovered and its old site comes back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from multisite.clouds.connect import Sites
from multisite.clouds.facts.application import list_servers
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, MultisiteError, NotFound
from multisite.domain.findings import Severity, describe
from multisite.domain.model import Application, Purpose, Recovery, RecoveryState
from multisite.domain.old_copy import GONE, OldCopy, OldCopyState, OldServer
from multisite.domain.validation import check_confirmed
from multisite.jobs.engine import JobEngine
from multisite.recovery.epochs import EpochStore
from multisite.recovery.failback.commit import Commit
from multisite.recovery.failback.guard import OldCopyGuard
from multisite.recovery.failback.remove import CommitPreview, remove_kind
from multisite.recovery.failback.reprotect import Reprotection, recovered_members, turned
from multisite.recovery.failback.stop import KIND as STOP
from multisite.recovery.failback.stop import StopDependencies, StopOrder, stop_kind
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.job import RECOVERY_STATES
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.old_copies import OldCopyRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.trail import AuditTrail
from multisite.store.types import now


class FailbackService:
    """The verbs.  Callers see what is of their project, administrators everything.

    ``guard`` looks at earlier copies of applications, periodically; ``near``: for that, sites that are not waited for
    long.  Registers the kinds of job "stop-source" and "remove-source" with ``jobs``.
    """

    def __init__(
        self,
        database: Database,
        manifests: ManifestStore,
        jobs: JobEngine,
        clouds: Sites,
        near: Sites,
        protections: ProtectionService,
        audit: AuditTrail | None = None,
        now: Callable[[], datetime] = now,
    ) -> None:
        self._database, self._jobs, self._audit = database, jobs, audit
        self._clouds, self._protections = clouds, protections
        self._applications = ApplicationRepository(database)
        self._reprotection = Reprotection(database, jobs, now)
        self._recoveries = RecoveryRepository(database)
        self._copies = OldCopyRepository(database)
        self._epochs = EpochStore(manifests, self._applications)
        self.guard = OldCopyGuard(database, manifests, near)
        self._commit = Commit(
            self._recoveries, manifests, jobs, clouds, audit, lambda row: self._as_its_job_is(row).state, now
        )
        jobs.register(remove_kind(clouds, self._epochs, self._look_again))
        jobs.register(stop_kind(StopDependencies(clouds, self._epochs, self._of_job, self._look_again)))

    def old_copies(self, application_ids: Collection[str]) -> dict[str, OldCopy]:
        """As they were seen last, by application; without those that have none."""
        return {copy.id: copy for copy in self._copies.list(application_ids)} if application_ids else {}

    def old_copies_of(self, recoveries: Collection[Recovery]) -> dict[str, OldCopy]:
        """By recovery: of those whose copy is the application now."""
        found = self.old_copies({recovery.application_id for recovery in recoveries})
        return {copy.recovery_id: copy for copy in found.values()}

    def stop_source(self, caller: Caller, id: str, confirm: str) -> tuple[str, Recovery]:
        """Begin to shut the old copy's servers off; the job's id, and the recovery.

        Raises Invalid unless ``confirm`` is the application's name; Conflict when the recovery's copy is not the
        application, an old site does not tell what it has, nothing is on, or such a job is at work.
        """
        recovery = self._current(caller, id)
        check_confirmed(confirm, recovery.application, f"recovery {id}")
        servers = _to_stop(recovery, self._seen(recovery))
        order = StopOrder(recovery.id, recovery.application_id, recovery.application, servers)
        sites = sorted({server.site for server in servers})
        with self._database.session():
            self._jobs.claim(recovery.id, f"recovery {recovery.id}")
            job_id = self._jobs.start(
                STOP,
                order,
                title=f"Shut off the old copy of {recovery.application} in {', '.join(sites)}",
                project_id=recovery.project_id,
                requested_by=caller.user_name,
                request_id=caller.request_id,
                subject=recovery.id,
            )
            if self._audit is not None:
                approve = partial(
                    self._audit.approved, caller, "confirm", "/v1/recoveries/{id}/stop-source",
                    project_id=recovery.project_id, job_id=job_id, subject=recovery.id, resource_id=recovery.id,
                )  # fmt: skip
                for site in sites:
                    approve(site=site)
        return job_id, recovery

    def reprotect(
        self, caller: Caller, id: str, target_site: str | None = None, *, source_is_fenced: bool = False
    ) -> Recovery:
        """From now on the application is the recovered one, and its protections protect it there.

        ``target_site``: to where; by default back to the old site.  ``source_is_fenced``: the operator vouches that
        servers of the old copy whose site does not tell are off or cut off.

        Raises Conflict, with what to do, unless the recovery's copy is the application, its servers are there and the
        old copy is off; as ``ProtectionService.check`` does; SiteError.
        """
        recovery = self._current(caller, id)
        before = self._described(recovery)
        members = recovered_members(before, recovery)
        self._refuse_missing(recovery, [member.server_id for member in members])
        vouched = self._refuse_active(recovery, vouched=source_is_fenced)
        wanted = [
            turned(protection, recovery, before.site, target_site)
            for protection in self._reprotection.protections_of(before)
        ]
        for protection in wanted:
            self._protections.check(caller, protection)
        with self._recoveries.claim(recovery.application_id):
            self._jobs.claim(id, f"recovery {id}")
            if self._as_its_job_is(recovery).state is not RecoveryState.DONE:
                raise Conflict(f"recovery: {id} is being undone: nothing was changed")
            changed = self._reprotection.write(recovery, before, members, wanted)
            if vouched and self._audit is not None:
                self._audit.approved(
                    caller, "source-is-fenced", "/v1/recoveries/{id}/reprotect", project_id=recovery.project_id,
                    job_id=recovery.job_id, subject=id, site=before.site, resource_id=id,
                )  # fmt: skip
        return changed

    def undo_reprotect(self, caller: Caller, id: str) -> Recovery:
        """Describe the application and its protections as before; what the recovery made stays.

        Conflict when it is not reprotected, committed, a job is at work on the application or a newer recovery exists.
        """
        recovery = self._recoveries.get(id, caller.scope)
        with self._recoveries.claim(recovery.application_id):
            recovery = self._recoveries.get(id)
            if recovery.reprotected_at is None:
                raise Conflict(f"recovery: {id} of {recovery.application} is not reprotected")
            return self._reprotection.take_back(recovery)

    def preview_commit(self, caller: Caller, id: str) -> CommitPreview:
        """What a commit that removes the old copy would delete, and keep; changes nothing.

        Raises Conflict unless the recovery's copy is the application, and SiteError: what is not seen is not deleted.
        """
        recovery = self._current(caller, id)
        return self._commit.preview(recovery, self._seen(recovery))[0]

    def commit(
        self, caller: Caller, id: str, *, remove_source: bool = False, confirm: str | None = None
    ) -> tuple[str | None, Recovery]:
        """From now on the recovery is not undone.  ``remove_source``: begin to remove the old copy; the job's id.

        ``confirm``: the application's name, to remove.  Raises as ``preview_commit``; Conflict while the old copy is
        active, when it is committed already, and for whatever is in the way of removing.
        """
        recovery = self._current(caller, id)
        return self._commit.commit(
            caller, recovery, self._seen(recovery), remove=remove_source, confirm=confirm
        )

    def _seen(self, recovery: Recovery) -> OldCopy | None:
        """Its old copy, as its sites say now."""
        return self.guard.look([recovery.application_id]).get(recovery.application_id)

    def _described(self, recovery: Recovery) -> Application:
        """The application, as it is described now: not where it was recovered."""
        if recovery.reprotected_at is not None:
            raise Conflict(f"recovery: {recovery.id} of {recovery.application} is reprotected already")
        try:
            found = self._applications.get(recovery.application_id)
        except NotFound:
            raise Conflict(
                f"recovery: application {recovery.application} ({recovery.application_id}) is not known any more: "
                f"describe it where it is: openstack multisite application create --site {recovery.target_site}"
            ) from None
        return found

    def _refuse_missing(self, recovery: Recovery, ids: Collection[str]) -> None:
        """Conflict unless the recovered servers are where a protection will look for them."""
        site = self._clouds.open(recovery.target_site, for_project=recovery.project_id)
        there = recovery.site_project_id
        if site.scope is not None and there not in ("", site.scope):
            raise Conflict(
                f"recovery: its servers are in project {there} of {recovery.target_site}, and protections look in the "
                f"default one, {site.scope}: openstack multisite project grant set --default <the grant of {there}>"
            )
        known = {str(row["id"]) for row in list_servers(site, site.project_id)}
        if missing := sorted({*ids} - known):
            raise Conflict(
                f"recovery: servers {', '.join(missing)} that it made are not in {recovery.target_site} any more"
            )

    def _refuse_active(self, recovery: Recovery, *, vouched: bool) -> bool:
        """Conflict when the old copy is seen active, or not seen and nobody vouches; whether the word was needed."""
        copy = self._seen(recovery)
        if copy is None or copy.state is OldCopyState.OFF:
            return False
        said = describe(copy.findings)
        if copy.state is OldCopyState.ACTIVE:
            raise Conflict(f"recovery: the old copy of {recovery.application} is active: {said}")
        if not vouched:
            raise Conflict(
                f"recovery: whether the old copy of {recovery.application} is active is not known: {said}; when it is "
                "off or cut off, say so: --source-is-fenced"
            )
        return True

    def _current(self, caller: Caller, id: str) -> Recovery:
        """The recovery, whose copy has to be the application; else Conflict, with what to do."""
        recovery = self._as_its_job_is(self._recoveries.get(id, caller.scope))
        if recovery.purpose is Purpose.DRILL:
            raise Conflict(f"recovery: {id} is a drill: its copy is never the application")
        if recovery.state is not RecoveryState.DONE or not recovery.epoch:
            state = recovery.state if recovery.epoch else f"{recovery.state}, of an earlier release"
            raise Conflict(f"recovery: {id} is {state}: only one that is done took the place of an old copy")
        current = self._epochs.read(recovery.application_id).current
        if current is None or current.recovery_id != id:
            other = f"recovery {current.recovery_id} in {current.site} has" if current else "no recovery has"
            raise Conflict(
                f"recovery: the copy of {id} is not the application {recovery.application}: {other} made the copy "
                "that is: name that recovery (openstack multisite recovery list)"
            )
        return recovery

    def _as_its_job_is(self, recovery: Recovery) -> Recovery:
        state = self._jobs.states([recovery.job_id]).get(recovery.job_id)
        return recovery if state is None else replace(recovery, state=RECOVERY_STATES[state])

    def _of_job(self, job_id: str) -> Recovery:
        """The recovery a job of ours is about."""
        return self._as_its_job_is(self._recoveries.get(self._jobs.get(job_id).subject or ""))

    def _look_again(self, application_id: str) -> None:
        with suppress(MultisiteError):  # the next look of the guard tells
            self.guard.look([application_id])


def _to_stop(recovery: Recovery, copy: OldCopy | None) -> tuple[OldServer, ...]:
    """Every server that is not gone, the last booted first."""
    if copy is None:
        raise Conflict(f"recovery: nothing is known of an old copy of {recovery.application}")
    if unknown := [finding for finding in copy.findings if finding.severity is Severity.UNKNOWN]:
        raise Conflict(
            f"recovery: which servers of the old copy are active is not known: {describe(unknown)}"
        )
    if not any(not server.off for server in copy.servers):
        raise Conflict(
            f"recovery: every server of the old copy of {recovery.application} is off or gone already"
        )
    left = [server for server in copy.servers if server.status != GONE]
    return tuple(sorted(left, key=lambda server: (server.site, -server.epoch, -server.order, server.id)))
