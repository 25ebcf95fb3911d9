"""Deciding a recovery: pure functions from a restore point, the target's facts and the operator's rules to a plan.

Nothing here calls a site.  What will be done is said in words (``Preview.items``), and so is everything in
the way (``Preview.problems``) with what to do about it; a plan with blocking problems is not carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest
from multisite.domain.model import Preview, PreviewItem, Purpose
from multisite.domain.past import spread
from multisite.domain.standby import Standby
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.table import METHODS
from multisite.recovery.plans.rules import NO_PLAN, PlanRules
from multisite.recovery.recover.affinity import check_server_groups
from multisite.recovery.recover.boot_groups import Arranged, arrange, plan_boot_groups
from multisite.recovery.recover.checks import (
    SourceAnswer,
    SourceState,
    check_restore_point,
    check_source,
)
from multisite.recovery.recover.dns.plan import with_planned_records
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.hooks.plan import with_planned_hooks
from multisite.recovery.recover.losses import Loss, accepted_losses
from multisite.recovery.recover.mapping import Rules, check_names
from multisite.recovery.recover.model import Readiness, RecoverPlan
from multisite.recovery.recover.network_plan import plan_groups, plan_networks, plan_ports
from multisite.recovery.recover.projects import Choice, plan_project
from multisite.recovery.recover.promote import claimed, tell_why_not
from multisite.recovery.recover.qos_plan import plan_qos_policies
from multisite.recovery.recover.quotas import check_quotas
from multisite.recovery.recover.routing.floating_ips import plan_floating_ips
from multisite.recovery.recover.routing.plan import plan_routers
from multisite.recovery.recover.server_plan import (
    held_flavors,
    plan_flavors,
    plan_keypairs,
    plan_server_groups,
    plan_servers,
    plan_volumes,
)
from multisite.recovery.recover.speed import SpeedModel, restored_after
from multisite.recovery.recover.target_facts import TargetFacts
from multisite.recovery.recover.trunk_plan import plan_trunks

_NOT_ASKED = SourceAnswer(SourceState.UNKNOWN)


@dataclass(frozen=True)
class Decision:
    """``plan`` may be carried out only if ``preview.startable``.  ``accepted``: what the operator lets it lose.

    ``unread``: those of the preview's problems that say only that the target did not tell.
    """

    preview: Preview
    plan: RecoverPlan
    accepted: tuple[Loss, ...] = ()
    unread: tuple[Finding, ...] = ()


def decide(
    manifest: Manifest,
    facts: TargetFacts,
    rules: Rules,
    now: datetime,
    *,
    source: SourceAnswer = _NOT_ASKED,
    speeds: Sequence[SpeedModel] = (),
    speed: SpeedModel | None = None,
    methods: Mapping[str, ProtectionMethod] = METHODS,
    others: Iterable[Finding] = (),
    project: Choice | None = None,
    items: Iterable[PreviewItem] = (),
    purpose: Purpose = Purpose.DISASTER,
    by_plan: PlanRules = NO_PLAN,
    standby: Sequence[Standby] = (),
) -> Decision:
    """Preview and plan, made from the same facts: what a recovery would do, and what is in its way.

    ``others``: what was found of other copies of the application.  ``project``: of the target, which the facts are of.
    ``items``: what is shown first; ``by_plan``: what a recovery plan says besides; ``standby``: what is kept of the
    restore point at the target, newest first.  ``speeds``: of past recoveries there by the same method; ``speed``: what
    is expected without any.

    Raises Invalid for rules that name unknown things, ManifestError for a payload its method cannot read.
    """
    check_names(rules, manifest)
    accepted_losses(rules.accept_loss, manifest)
    arranged = arrange(manifest, by_plan)
    manifest = arranged.manifest
    granted = project.others if project else {}
    draft = Draft(
        manifest, facts, rules, list(items), list(others), projects=granted, purpose=purpose, standby=standby
    )
    check_source(draft, source)
    check_restore_point(draft)
    tell_why_not(draft)
    made = _planned(draft, methods, project, arranged, by_plan)
    made = replace(made, standby=claimed(draft, made.volumes))
    check_quotas(draft, made)
    check_server_groups(draft, made.server_groups, made.servers, made.flavors)
    shown = replace(preview_of(draft, now, source, purpose), **_predicted(made, speeds, speed))
    return Decision(shown, made, tuple(dict.fromkeys(draft.accepted)), tuple(draft.unread))


def preview_of(
    draft: Draft,
    now: datetime,
    source: SourceAnswer,
    purpose: Purpose = Purpose.DISASTER,
) -> Preview:
    """What the draft has come to."""
    manifest = draft.manifest
    return Preview(
        restore_point_id=manifest.id,
        application=manifest.application,
        target_site=draft.facts.site,
        made_at=now,
        consistent_at=manifest.consistent_at,
        data_age_seconds=(now - manifest.consistent_at).total_seconds(),
        items=tuple(draft.items),
        problems=_sorted(draft.problems),
        source_state=source.state.value,
        purpose=purpose,
    )


def _planned(
    draft: Draft,
    methods: Mapping[str, ProtectionMethod],
    choice: Choice | None,
    arranged: Arranged,
    by_plan: PlanRules,
) -> RecoverPlan:
    """The parts in the order of the work, which is the order the operator reads."""
    rules, manifest, facts = draft.rules, draft.manifest, draft.facts
    plan_project(draft, choice)
    volumes = plan_volumes(draft, methods)
    flavors = plan_flavors(draft)
    keypairs = plan_keypairs(draft)
    server_groups = plan_server_groups(draft)
    groups, remote_groups = plan_groups(draft)
    qos_policies = plan_qos_policies(draft)
    networks = plan_networks(draft)
    ports = plan_ports(draft, networks)
    trunks = plan_trunks(draft, networks)
    routers = plan_routers(draft, networks)
    floating_ips = plan_floating_ips(draft, networks, ports, routers)
    boot_groups = plan_boot_groups(draft, arranged, ports, floating_ips, by_plan.outside)
    made = RecoverPlan(
        restore_point_id=manifest.id,
        application=manifest.application,
        source_site=manifest.source.name,
        target_site=facts.site,
        consistent_at=manifest.consistent_at,
        flavors=flavors,
        held_flavors=held_flavors(draft, flavors),
        keypairs=keypairs,
        server_groups=server_groups,
        security_groups=groups,
        remote_groups=remote_groups,
        networks=networks,
        ports=ports,
        routers=routers,
        floating_ips=floating_ips,
        volumes=volumes,
        servers=plan_servers(draft, keypairs, boot_groups),
        boot_groups=boot_groups,
        readiness=Readiness(rules.ready_console, rules.boot_timeout, rules.ready_timeout),
        application_id=manifest.application_id,
        qos_policies=qos_policies,
        target_project=choice.id if choice else "",
        trunks=trunks,
    )
    return with_planned_hooks(draft, with_planned_records(draft, made, by_plan), by_plan)


def _sorted(problems: Iterable[Finding]) -> tuple[Finding, ...]:
    """Blocking ones first, otherwise as found; each only once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: not p.blocking))


def _predicted(
    made: RecoverPlan, speeds: Sequence[SpeedModel], expected: SpeedModel | None
) -> dict[str, Any]:
    """What a preview says of the time it will take."""
    found = spread(predict(made, speed) for speed in speeds)
    if not found.count:
        return {"predicted_rto_seconds": predict(made, expected)} if expected else {}
    return {
        "predicted_rto_seconds": found.median,
        "predicted_rto_least": found.least,
        "predicted_rto_most": found.most,
        "predicted_rto_count": found.count,
    }


def predict(made: RecoverPlan, speed: SpeedModel) -> float:
    """Seconds until the last server is ready, by following the plan with this speed."""
    sizes = [0 if volume.standby else volume.record.size_gib for volume in made.volumes]
    ends = restored_after(sizes, speed)
    restored = {volume.record.id: end for volume, end in zip(made.volumes, ends, strict=True)}
    ready: dict[str, float] = {}
    group_of = {id: group.step for group in made.boot_groups for id in group.servers}
    for server in made.servers:  # in boot order, so every gate it waits for is known
        waits = [restored.get(v, 0.0) for v in server.record.volume_ids] + [
            ready.get(g, 0.0) for g in server.after
        ]
        ready[server.gate] = max([speed.fixed_seconds, *waits]) + speed.boot_seconds
        if group := group_of.get(server.record.id):
            ready[group] = max(ready.get(group, 0.0), ready[server.gate])
    return max(ready.values(), default=0.0)
