"""Option 2 of the Multisite documents: Nova's image of each server, and Cinder backups of the snapshots it names."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, describe
from multisite.domain.model import Capability, Protection
from multisite.jobs.model import Step
from multisite.recovery.methods.base import PlannedRun, ProtectDependencies, ProtectOrder, RunRequest
from multisite.recovery.methods.cinder_backups.method import CinderBackups, counted
from multisite.recovery.methods.cinder_backups.payload import INSTANCE_SNAPSHOT
from multisite.recovery.methods.instance_snapshot.look import look
from multisite.recovery.methods.instance_snapshot.offer import NEEDS, offer
from multisite.recovery.methods.instance_snapshot.options import SnapshotOptions, options_of
from multisite.recovery.methods.instance_snapshot.plan import SnapshotPlan, make_plan
from multisite.recovery.methods.instance_snapshot.run import Run
from multisite.recovery.methods.needs import lacking, looked_at
from multisite.recovery.methods.offers import Candidate, Offer


class InstanceSnapshot(CinderBackups):
    """See ``base.ProtectionMethod``."""

    name = INSTANCE_SNAPSHOT
    options = SnapshotOptions

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks; what is not known does not block."""
        return lacking(capabilities, NEEDS, protection.site)

    def offer(self, candidate: Candidate) -> Offer:
        """See ``offer.offer``."""
        return offer(candidate)

    def plan(self, site: CloudSite, request: RunRequest) -> PlannedRun:
        """Decide on images, and on full and incremental backups."""
        application, options = request.application, options_of(request.protection.options)
        _, seen = looked_at(application, lambda: look(site, application))
        plan = make_plan(seen, volumes.backups(site), request.previous, options, request.incremental)
        if plan.problems:
            raise Conflict(describe(plan.problems))
        return PlannedRun(
            _summary(plan), plan.to_json(), plan.incremental, plan.parent_id, plan.quiesced, plan.size_gib
        )

    def steps(self, order: ProtectOrder, dependencies: ProtectDependencies) -> list[Step]:
        """Check, images, backups, the manifest, clean up."""
        return Run(order, dependencies).steps()


def _summary(plan: SnapshotPlan) -> str:
    incremental = sum(v.incremental for v in plan.volumes)
    full = len(plan.volumes) - incremental + sum(image.root is not None for image in plan.images)
    return f"images of {len(plan.images)} servers, {counted(full, incremental)}, {plan.size_gib} GiB"
