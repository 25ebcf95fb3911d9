"""Option 1 of the Multisite documents: freeze all, snapshot all, thaw all, then Cinder backups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, describe
from multisite.domain.model import Application, Capability, Protection
from multisite.jobs.model import Step
from multisite.recovery.methods.base import PlannedRun, ProtectDependencies, ProtectOrder, RunRequest
from multisite.recovery.methods.cinder_backups.method import CinderBackups, counted
from multisite.recovery.methods.cinder_backups.payload import CONSISTENT_BACKUP
from multisite.recovery.methods.cinder_backups.state import read_state, standbys
from multisite.recovery.methods.consistent_backup.backup import Run
from multisite.recovery.methods.consistent_backup.offer import offer
from multisite.recovery.methods.consistent_backup.options import BackupOptions, options_of
from multisite.recovery.methods.consistent_backup.plan import ProtectPlan, make_plan
from multisite.recovery.methods.needs import BACKUPS, freezing, lacking, looked_at
from multisite.recovery.methods.offers import Candidate, Offer


class ConsistentBackup(CinderBackups):
    """See ``base.ProtectionMethod``."""

    name = CONSISTENT_BACKUP
    options = BackupOptions

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks; what is not known does not block."""
        needs = freezing(BACKUPS, quiesce=options_of(protection.options).quiesce)
        return lacking(capabilities, needs, protection.site)

    def offer(self, candidate: Candidate) -> Offer:
        """See ``offer.offer``."""
        return offer(candidate)

    def plan(self, site: CloudSite, request: RunRequest) -> PlannedRun:
        """Decide on full and incremental backups and on who is frozen."""
        application, options = request.application, options_of(request.protection.options)
        left_out = _left_out(application) if options.standby_only else ()
        asked = {"ask_quiesce": options.quiesce, "standby_only": options.standby_only}
        state = looked_at(application, lambda: read_state(site, application, **asked))
        backups = volumes.backups(site)
        plan = make_plan(
            state.servers, state.volumes, backups, request.previous, options, request.incremental
        )
        if plan.problems:
            raise Conflict(describe(plan.problems))
        plan = replace(plan, notes=(*plan.notes, *left_out))
        return PlannedRun(
            _summary(plan), plan.to_json(), plan.incremental, plan.parent_id, plan.quiesced, plan.size_gib
        )

    def steps(self, order: ProtectOrder, dependencies: ProtectDependencies) -> list[Step]:
        """Check, capture, back up, write the manifest, clean up."""
        return Run(order, dependencies).steps()


def _left_out(application: Application) -> tuple[str, ...]:
    """What an operator should know of the members that are not protected; Conflict when that is all of them."""
    protected = standbys(application)
    if not protected:
        raise Conflict(
            f"application {application.name}: the protection is of standby members only (standby_only), and none of "
            "its members is one: give one the role standby (application create --server <id>,standby, or the server's "
            "metadata multisite_role=standby), or protect all of them"
        )
    return tuple(
        f"server {member.server_name} is not in this restore point: it is active, and the protection is of standby "
        "members only"
        for member in application.members
        if member not in protected
    )


def _summary(plan: ProtectPlan) -> str:
    incremental = sum(v.incremental for v in plan.volumes)
    return f"{counted(len(plan.volumes) - incremental, incremental)}, {plan.size_gib} GiB"
