"""How a restore point's volumes are restored at a target without the rest: to be kept (warm standby), or moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, blockers, describe
from multisite.domain.manifest import Manifest
from multisite.domain.standby import StandbyVolume
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.standby import KeepsStandby
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.model import PlannedVolume
from multisite.recovery.recover.projects import Choice
from multisite.recovery.recover.quotas import check_standby_quotas
from multisite.recovery.recover.server_plan import plan_volumes
from multisite.recovery.recover.target_facts import TargetFacts


@dataclass(frozen=True)
class KeptPlan:
    """The volumes of a restore point to keep restored; ``project_id``: of the target."""

    manifest: Manifest
    project_id: str
    volumes: tuple[PlannedVolume, ...]


def plan_kept(
    manifest: Manifest,
    facts: TargetFacts,
    rules: Rules,
    project: Choice,
    gone: Iterable[Finding],
    methods: Mapping[str, ProtectionMethod],
) -> KeptPlan:
    """How the volumes are restored, as a recovery by these rules would; only those that can be kept.

    ``gone``: what is not in the backup store any more.  Raises Conflict naming everything in the way, ManifestError
    for a payload its method cannot read.
    """
    draft = Draft(manifest, facts, rules, problems=list(gone), projects=project.others)
    planned = plan_volumes(draft, methods)
    kept = tuple(volume for volume in planned if _keeps(volume, methods))
    check_standby_quotas(draft, kept)
    if said := describe(blockers(draft.problems)):
        raise Conflict(said)
    if not kept:
        raise Conflict(f"restore point {manifest.id}: none of its volumes can be kept restored")
    return KeptPlan(manifest, project.id, kept)


def plan_restored(
    manifest: Manifest,
    facts: TargetFacts,
    rules: Rules,
    project: Choice,
    gone: Iterable[Finding],
    methods: Mapping[str, ProtectionMethod],
    numbers: Mapping[str, int],
) -> tuple[PlannedVolume, ...]:
    """How the volumes are restored, as a recovery by these rules would; ``numbers``: in the names of their steps.

    ``gone``: what is not in the backup store any more.  Raises Conflict naming everything in the way, ManifestError
    for a payload its method cannot read.
    """
    draft = Draft(manifest, facts, rules, problems=list(gone), projects=project.others)
    planned = plan_volumes(draft, methods, numbers)
    check_standby_quotas(draft, planned, "move")
    if said := describe(blockers(draft.problems)):
        raise Conflict(said)
    return planned


def _keeps(volume: PlannedVolume, methods: Mapping[str, ProtectionMethod]) -> bool:
    method, nothing = methods[volume.method], StandbyVolume(volume.record.id, "", "", 0)
    return isinstance(method, KeepsStandby) and method.kept_volume(volume, nothing, "", None) is not None
