"""What is asked for with a recovery plan: its rules, and those given for this one time, which come first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid, NotFound
from multisite.domain.manifest import Manifest
from multisite.domain.model import PreviewItem, Purpose
from multisite.domain.recovery_plan import RecoveryPlan
from multisite.recovery.plans.outside import Outside
from multisite.recovery.plans.rules import NO_PLAN, PlanRules
from multisite.recovery.plans.targets import KnownTargets
from multisite.recovery.recover.mapping import KINDS, Rules, check_names, listed, parse
from multisite.store.recovery_plans import RecoveryPlanRepository

_EITHER = {
    one: other
    for name in ("network", "security_group", "keypair", "router")
    for one, other in ((f"{name}s", f"{name}_names"), (f"{name}_names", f"{name}s"))
}
"""Of these two rules a thing can have one."""


@dataclass(frozen=True)
class Question:
    """``mapping``: all rules that count; ``plan`` None: those that were given are all."""

    target_site: str
    mapping: dict[str, Any]
    rules: Rules
    plan: RecoveryPlan | None = None

    def by_plan(self, outside: Outside) -> PlanRules:
        """What the plan says besides its rules; looks which programs there are."""
        if self.plan is None:
            return NO_PLAN
        return PlanRules(self.plan.groups, outside, self.plan.hooks, outside.commands(), self.plan.dns)

    @property
    def items(self) -> tuple[PreviewItem, ...]:
        """What a preview shows of the plan: its digest is in it, so that a start notices a change."""
        if self.plan is None:
            return ()
        kept = listed(_words(self.plan.mapping)) if self.plan.mapping else "no rules"
        detail = f"{kept}; version {self.plan.digest[:12]}"
        return (PreviewItem("recovery plan", self.plan.name, "use", detail, self.plan.id),)


def ask(
    plans: RecoveryPlanRepository,
    targets: KnownTargets,
    caller: Caller,
    manifest: Manifest,
    target_site: str | None,
    mapping: Mapping[str, Any] | None,
    plan: str | None,
    purpose: Purpose = Purpose.DISASTER,
) -> Question:
    """Put together what is asked of a restore point; ``plan``: name or id of one of its project.

    Without a site and a plan it is for the only target of its protection.  Raises NotFound, and
    Invalid naming the field: for a plan of another application, or for another site than is given.
    """
    given = dict(mapping or {})
    if plan is None:
        if target_site is None:
            target_site = targets.only(manifest, purpose)
        return Question(target_site, given, parse(mapping))
    parse(given)  # names the field as it was given
    found = _named(plans, caller, plan, manifest)
    if found.application_id != manifest.application_id:
        raise Invalid(
            f"plan: {found.name!r} is for application {found.application!r}, restore point {manifest.id} is of "
            f"{manifest.application!r}"
        )
    if target_site not in (None, found.target_site):
        raise Invalid(
            f"target_site: recovery plan {found.name!r} is for {found.target_site}, not for {target_site}"
        )
    try:
        check_names(parse(found.mapping), manifest)
    except Invalid as error:
        raise Invalid(
            f"plan: {found.name!r} does not fit restore point {manifest.id}: {error}; change it with `openstack "
            f"multisite recovery plan set {found.name}`"
        ) from error
    together = merged(found.mapping, given, manifest)
    rules = parse(together)
    if found.groups and rules.parallel_boot:
        raise Invalid(f"mapping.parallel_boot: recovery plan {found.name!r} has groups: leave it out")
    return Question(found.target_site, together, rules, found)


def merged(kept: Mapping[str, Any], given: Mapping[str, Any], manifest: Manifest) -> dict[str, Any]:
    """The rules that are kept, in the place of which those come that are given: maps thing by thing."""
    together = {name: dict(value) if name in KINDS else value for name, value in kept.items()}
    for name, value in given.items():
        if name not in KINDS:
            together[name] = value
        elif name == "projects":  # there is one: the application's, by its id or its name
            together[name] = dict(value)
        else:
            same = _same(name, value, manifest)
            for rule in (name, _EITHER.get(name, name)):
                if rule in together:
                    together[rule] = {s: t for s, t in together[rule].items() if s not in same}
            together[name] = together.get(name, {}) | value
    return together


def _same(kind: str, sources: Mapping[str, str], manifest: Manifest) -> set[str]:
    """Ids and names of what is named."""
    things = KINDS[kind].things(manifest)
    return set(sources) | {word for thing in things if set(thing) & set(sources) for word in thing}


def _words(mapping: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in mapping.items():
        if name in KINDS:
            words += [f"{KINDS[name].word} {source} -> {target}" for source, target in value.items()]
        else:
            words.append(f"{name} {value}")
    return words


def _named(plans: RecoveryPlanRepository, caller: Caller, ref: str, manifest: Manifest) -> RecoveryPlan:
    try:
        return plans.by_name(ref, manifest.project_id)
    except NotFound:
        found = plans.get(ref, caller.scope)
    if found.project_id != manifest.project_id:
        raise Invalid(f"plan: {found.name!r} is of another project than the restore point")
    return found
