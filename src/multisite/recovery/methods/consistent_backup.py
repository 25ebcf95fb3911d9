"""Option 1 of the Multisite documents: freeze all, snapshot all, thaw all, then Cinder backups."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.clouds.errors import NotFoundInSite, Unsupported
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, Severity, describe
from multisite.domain.model import Capability, Known, Protection
from multisite.recovery.methods.base import PlannedRun, RunRequest
from multisite.recovery.protect.cloud import ProtectCloud
from multisite.recovery.protect.job import KIND, to_params
from multisite.recovery.protect.order import ProtectOrder
from multisite.recovery.protect.plan import BackupOptions, ProtectPlan, make_plan

_NEEDS = ("compute", "block-storage", "backup", "admin")
_TO_FREEZE = "quiesce"


class ConsistentBackup:
    """See ``base.ProtectionMethod``."""

    name = "consistent-backup"

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks; what is not known does not block."""
        needs = (*_NEEDS, _TO_FREEZE) if protection.quiesce else _NEEDS
        return tuple(
            Finding(
                protection.site,
                capability.name,
                capability.detail or "not there",
                remedy=f"provide it, then `openstack multisite site check {protection.site}`",
                severity=Severity.BLOCKING if capability.present is Known.NO else Severity.UNKNOWN,
            )
            for capability in capabilities
            if capability.name in needs and capability.present is not Known.YES
        )

    def plan(self, cloud: ProtectCloud, request: RunRequest) -> PlannedRun:
        """Decide on full and incremental backups and on who is frozen."""
        application, protection = request.application, request.protection
        try:
            sight = cloud.look(application, quiesce=protection.quiesce)
        except (NotFoundInSite, Unsupported) as error:
            raise Conflict(f"application {application.name}: {error.message}") from error
        wish = BackupOptions(request.incremental, protection.full_every, protection.quiesce)
        plan = make_plan(sight.servers, sight.volumes, cloud.backups(), request.previous, wish)
        if plan.problems:
            raise Conflict(describe(plan.problems))
        order = ProtectOrder(
            restore_point_id=request.restore_point_id,
            protection_id=protection.id,
            application=application,
            method=self.name,
            freeze_timeout=protection.freeze_timeout,
            quiesce=protection.quiesce,
            snapshot_gap=protection.snapshot_gap_seconds,
            console_mark=protection.console_mark,
            created_at=request.created_at,
            plan=plan,
        )
        return PlannedRun(
            kind=KIND,
            title=f"Protect {application.name}: {_words(plan)}",
            params=to_params(order),
            incremental=plan.incremental,
            parent_id=plan.parent_id,
            quiesced=plan.quiesced,
            size_gib=plan.size_gib,
        )


def _words(plan: ProtectPlan) -> str:
    incremental = sum(v.incremental for v in plan.volumes)
    full = len(plan.volumes) - incremental
    parts = [f"{n} {what}" for n, what in ((full, "full"), (incremental, "incremental")) if n]
    return f"{' and '.join(parts)} backups, {plan.size_gib} GiB"
