"""What a planned move asks of the source, before anything is stopped."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.domain.model import Application, PreviewItem, Protection
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.standby import KeepsStandby
from multisite.recovery.plans.question import Question
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.moves.model import MoveOrder, OneByOne
from multisite.recovery.recover.moves.source import Look, changes, look, obstacles
from multisite.recovery.recover.moves.split import Split, split
from multisite.recovery.recover.moves.stages import not_alone
from multisite.recovery.recover.moves.turns import names_of, turn_order
from multisite.store.protections import ProtectionRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.stretched import StretchedRepository


@dataclass(frozen=True)
class Prepared:
    """``problems``: in the way at the source; ``items``: what is done there."""

    application: Application
    protection: Protection
    problems: tuple[Finding, ...]
    items: tuple[PreviewItem, ...]
    turns: tuple[str, ...] = ()
    """Ids of the members in the order in which they are moved one by one; none: they are moved together."""

    def order(self, recovery_id: str, plan: RecoverPlan, asked: Question, requested_by: str) -> MoveOrder:
        """The parameters of the job.  ``plan``: of the recovery as it would be now; it is decided anew later."""
        return MoveOrder(
            recovery_id=recovery_id,
            restore_point_id=str(uuid.uuid4()),
            protection_id=self.protection.id,
            application=self.application,
            target_site=plan.target_site,
            target_project=plan.target_project,
            mapping={name: value for name, value in asked.mapping.items() if name != "projects"},
            epoch=plan.epoch,
            requested_by=requested_by,
            by=asked.plan,
            dns=plan.dns,
            one_by_one=self._one_by_one(plan, asked.rules) if self.turns else None,
        )

    def _one_by_one(self, plan: RecoverPlan, rules: Rules) -> OneByOne:
        """By the plan that the preview has shown, of all members."""
        base, pause = plan.restore_point_id, rules.pause_between or 0.0
        return OneByOne(base, plan.to_json(), self.turns, pause, rules.ask_between)


class MovePreparation:
    """Of moves from restore points: which protection makes the final one, and what is in its way."""

    def __init__(
        self,
        protections: ProtectionService,
        rows: ProtectionRepository,
        restore_points: RestorePointRepository,
        sites: Sites,
        now: Callable[[], datetime],
        stretched: StretchedRepository,
        methods: Mapping[str, ProtectionMethod],
    ) -> None:
        self._protections = protections
        self._rows = rows
        self._restore_points = restore_points
        self._sites = sites
        self._now = now
        self._stretched = stretched
        self._methods = methods

    def asked(self, manifest: Manifest, asked: Question) -> Question:
        """With the rules that follow from networks which are stretched over both sites, one by one."""
        if not asked.rules.one_by_one:
            return asked
        found = self._split(manifest, asked).networks
        if not found:
            return asked
        networks = {**asked.rules.networks, **found}
        mapping = {**asked.mapping, "networks": networks}
        return replace(asked, mapping=mapping, rules=replace(asked.rules, networks=networks))

    def _split(self, manifest: Manifest, asked: Question) -> Split:
        return split(manifest, asked.target_site, asked.rules, self._stretched.list())

    def prepare(self, caller: Caller, manifest: Manifest, asked: Question) -> Prepared:
        """Look at the source.  What it does not tell is a problem: nothing may be stopped then.

        Raises NotFound, Invalid naming the field; Conflict where no protection can make the final restore point.
        """
        target_site, rules = asked.target_site, asked.rules
        _check_rules(rules)
        if rules.source_is_fenced:
            raise Invalid(
                "mapping.source_is_fenced: a move stops the source by itself and asks it: leave it out"
            )
        protection, application, _ = self._protections.subject(caller, self._protection(manifest).id)
        if target_site == application.site:
            raise Invalid(f"target_site: {target_site!r} is the site the application runs in")
        problems: tuple[Finding, ...]
        seen: Look | None = None
        try:
            site = self._sites.open(application.site, for_project=application.project_id)
            seen = look(site, application, self._now())
            problems = (
                *obstacles(site, seen),
                *changes(seen, manifest),
                *self._run_problems(protection, application),
            )
        except SiteError as error:
            remedy = "a move needs the source: make it answer, or recover from what there is (recovery start)"
            problems = (blocking(application.site, f"site {application.site}", str(error), remedy),)
        if not rules.one_by_one:
            return Prepared(application, protection, problems, tuple(_items(application, seen)))
        turns = turn_order(application, manifest, PlanRules(asked.plan.groups if asked.plan else ()))
        problems = (*problems, *self._split(manifest, asked).problems)
        problems += tuple(not_alone(manifest, seen.members if seen else (), target_site))
        problems += tuple(_restored_together(protection, self._methods[protection.method], target_site))
        items = tuple(_turn_items(application, turns, rules))
        return Prepared(application, protection, problems, items, turns)

    def keep(self, prepared: Prepared) -> None:
        """Keep the members that a tag has chosen."""
        self._protections.keep_members(prepared.application)

    def _protection(self, manifest: Manifest) -> Protection:
        """The one that made the restore point; else the only one of the application."""
        found = self._rows.list(application_id=manifest.application_id)
        try:
            made_by = self._restore_points.get(manifest.id).protection_id
        except NotFound:
            made_by = None
        for protection in found:
            if protection.id == made_by or len(found) == 1:
                return protection
        which = (
            "several: move from a restore point that one of them made" if found else "none: protection create"
        )
        raise Conflict(
            f"application {manifest.application}: a move needs a protection for its final restore point, and there is "
            f"{which}"
        )

    def _run_problems(self, protection: Protection, application: Application) -> Iterator[Finding]:
        subject = f"protection {protection.id}"
        if protection.options.get("standby_only"):
            yield blocking(
                application.site,
                subject,
                "it is of standby members only: the others would be left behind",
                "create a protection of all members, run it, and move from its restore point",
            )
            return
        try:
            self._protections.plan(protection, application, str(uuid.uuid4()))
        except Conflict as error:
            yield blocking(application.site, subject, f"its final run is not possible: {error}", "see there")


def _check_rules(rules: Rules) -> None:
    """Raises Invalid for what goes with a move one by one alone."""
    given = {
        "accept_split": rules.accept_split,
        "pause_between": rules.pause_between is not None,
        "ask_between": rules.ask_between,
    }
    for name, is_given in given.items():
        if is_given and not rules.one_by_one:
            raise Invalid(
                f"mapping.{name}: it is of a move one by one: give one_by_one, too, or leave it out"
            )


def refuse_one_by_one(rules: Rules) -> None:
    """Of a recovery or a drill.  Raises Invalid."""
    if rules.one_by_one:
        raise Invalid("mapping.one_by_one: only a move goes one by one: leave it out, or move (purpose move)")
    _check_rules(rules)


def _restored_together(
    protection: Protection, method: ProtectionMethod, target_site: str
) -> Iterator[Finding]:
    """Of a method that does not restore a restore point's volumes by themselves, one after the other."""
    if not isinstance(method, KeepsStandby):
        yield blocking(
            target_site,
            f"protection {protection.id}",
            f"{protection.method} does not recover one member while the others work",
            "move all members together (without --one-by-one), or protect it by consistent-backup",
        )


def _turn_items(application: Application, turns: Sequence[str], rules: Rules) -> Iterator[PreviewItem]:
    between = [f"{rules.pause_between:.0f} s between two"] if rules.pause_between else []
    between += ["the operator is asked before each but the first"] if rules.ask_between else []
    says = (
        f"in {application.site}: each is stopped, gets a final restore point of its own, is recovered and has to "
        f"answer before the next is stopped{'; ' if between else ''}{'; '.join(between)}"
    )
    yield PreviewItem("move", application.name, "move one by one", says)
    for number, name in enumerate(names_of(turns, application), 1):
        yield PreviewItem("server", name, "move", f"{number} of {len(turns)}")


def _items(application: Application, seen: Look | None) -> Iterator[PreviewItem]:
    says = (
        f"in reverse boot order, in {application.site}; then a final restore point, so that nothing is lost, and the "
        "recovery from it"
    )
    yield PreviewItem("move", application.name, "stop", says)
    for member in reversed(seen.members if seen else ()):
        off = "left: it is shut off already, and is shut off at the target"
        yield PreviewItem(
            "server", member.name, "stop" if member.was_on else "leave", "" if member.was_on else off
        )
