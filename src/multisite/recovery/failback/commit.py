"""Committing a recovery: from then on it is not undone, and what is left of the old copy may be removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.findings import blockers, describe
from multisite.domain.manifest import Manifest, ManifestError
from multisite.domain.model import Recovery, RecoveryState
from multisite.domain.old_copy import OldCopy, OldCopyState
from multisite.domain.validation import check_confirmed
from multisite.jobs.engine import JobEngine
from multisite.recovery.failback.remove import (
    KIND,
    CommitPreview,
    RemoveOrder,
    decide_removal,
    project_of,
    read_source,
)
from multisite.recovery.manifests import ManifestStore
from multisite.store.recoveries import RecoveryRepository
from multisite.store.trail import AuditTrail


class Commit:
    """``state_of``: of a recovery as its job is."""

    def __init__(
        self,
        recoveries: RecoveryRepository,
        manifests: ManifestStore,
        jobs: JobEngine,
        clouds: Sites,
        audit: AuditTrail | None,
        state_of: Callable[[Recovery], RecoveryState],
        now: Callable[[], datetime],
    ) -> None:
        self._recoveries, self._manifests, self._jobs, self._clouds = recoveries, manifests, jobs, clouds
        self._audit, self._state_of, self._now = audit, state_of, now

    def preview(self, recovery: Recovery, copy: OldCopy | None) -> tuple[CommitPreview, RemoveOrder]:
        """What ``--remove-source`` would delete; changes nothing.  SiteError: what is not seen is not deleted."""
        manifest = self._source(recovery)
        project = project_of(manifest, copy) or None
        site = self._clouds.open(manifest.source.name, for_project=recovery.project_id, project=project)
        return decide_removal(manifest, read_source(site, manifest), copy, recovery.id)

    def commit(
        self, caller: Caller, recovery: Recovery, copy: OldCopy | None, *, remove: bool, confirm: str | None
    ) -> tuple[str | None, Recovery]:
        """The job that removes the old copy, None without ``remove``; and the recovery."""
        if copy is not None and copy.state is OldCopyState.ACTIVE:
            said = describe(copy.findings)
            raise Conflict(f"recovery: the old copy of {recovery.application} is active: {said}")
        if not remove:
            return None, self._write(caller, recovery, None)[1]
        check_confirmed(confirm, recovery.application, f"recovery {recovery.id}")
        shown, order = self.preview(recovery, copy)
        if said := describe(blockers(shown.problems)):
            raise Conflict(f"recovery: the old copy of {recovery.application} is not removed: {said}")
        return self._write(caller, recovery, order)

    def _write(
        self, caller: Caller, recovery: Recovery, order: RemoveOrder | None
    ) -> tuple[str | None, Recovery]:
        """The commit and the job that removes, or neither."""
        job_id = None
        with self._recoveries.claim(recovery.application_id):
            self._jobs.claim(recovery.id, f"recovery {recovery.id}")
            known = self._recoveries.get(recovery.id)
            if self._state_of(known) is not RecoveryState.DONE:
                raise Conflict(f"recovery: {recovery.id} is being undone: it is not committed")
            if known.committed_at is not None and order is None:
                raise Conflict(
                    f"recovery: {recovery.id} is committed already, since {known.committed_at:%F %T}"
                )
            at = known.committed_at or self._now()
            kept = self._recoveries.change(
                recovery.id, lambda row: replace(row, committed_at=at, described_before=None)
            )
            if order is not None:
                job_id = self._begin(caller, recovery, order)
        return job_id, kept

    def _begin(self, caller: Caller, recovery: Recovery, order: RemoveOrder) -> str:
        job_id = self._jobs.start(
            KIND,
            order,
            title=f"Remove the old copy of {recovery.application} in {order.site}",
            project_id=recovery.project_id,
            requested_by=caller.user_name,
            request_id=caller.request_id,
            subject=recovery.id,
        )
        if self._audit is not None:
            self._audit.approved(
                caller, "remove-source", "/v1/recoveries/{id}/commit", project_id=recovery.project_id, job_id=job_id,
                subject=recovery.id, site=order.site, resource_id=recovery.id,
            )  # fmt: skip
        return job_id

    def _source(self, recovery: Recovery) -> Manifest:
        try:
            return self._manifests.read(recovery.restore_point_id)
        except (NotFound, ManifestError) as error:
            raise Conflict(
                f"recovery: what the old copy of {recovery.application} consists of is not known: its restore point "
                f"cannot be read: {error}: commit without removing, and remove by hand what is left"
            ) from error
