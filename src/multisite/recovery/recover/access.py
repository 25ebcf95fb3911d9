"""A preview for a target whose project does not let the service's account in: that is in the way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotGranted
from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest
from multisite.domain.model import Purpose
from multisite.recovery.recover.checks import SourceAnswer, check_restore_point, check_source
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.losses import accepted_losses
from multisite.recovery.recover.mapping import Rules, check_names
from multisite.recovery.recover.model import Readiness, RecoverPlan
from multisite.recovery.recover.plan import Decision, preview_of
from multisite.recovery.recover.projects import Choice
from multisite.recovery.recover.target_facts import TargetFacts


def refusal_of(target: CloudSite) -> NotGranted | None:
    """What Keystone says to a login in the chosen project; None: it lets us in.  Raises what else logging in raises."""
    try:
        target.login()
    except NotGranted as refused:
        return refused
    return None


def decide_without_access(
    manifest: Manifest,
    target: CloudSite,
    rules: Rules,
    now: datetime,
    project: Choice,
    refused: NotGranted,
    *,
    source: SourceAnswer,
    others: Iterable[Finding] = (),
    purpose: Purpose = Purpose.DISASTER,
) -> Decision:
    """As ``plan.decide`` when nothing else can be known of the target; its plan is empty, and not carried out."""
    facts = TargetFacts(target.name, project.id, now, account=target.account)
    draft = Draft(manifest, facts, rules, problems=list(others))
    check_names(rules, manifest)
    accepted_losses(rules.accept_loss, manifest)
    if purpose is not Purpose.DRILL:
        check_source(draft, source)
    check_restore_point(draft)
    draft.problem(
        f"project {project.name}",
        f"the account of {target.name} cannot work in project {project.id}: {refused.message}",
        f"at {target.name}: openstack role add --project {project.id} --user {target.account} member",
    )
    draft.use("project", project.name, project.id, project.how)
    nothing = RecoverPlan(
        manifest.id, manifest.application, manifest.source.name, target.name, manifest.consistent_at,
        (), (), (), (), {}, (), (), (), (), Readiness(),
    )  # fmt: skip
    return Decision(preview_of(draft, now, source, purpose), nothing)
