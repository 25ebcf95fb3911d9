"""What a planned move asks of the source, before anything is stopped."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.domain.model import Application, PreviewItem, Protection
from multisite.recovery.plans.question import Question
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.moves.model import MoveOrder
from multisite.recovery.recover.moves.source import Look, changes, look, obstacles
from multisite.store.protections import ProtectionRepository
from multisite.store.restore_points import RestorePointRepository


@dataclass(frozen=True)
class Prepared:
    """``problems``: in the way at the source; ``items``: what is done there."""

    application: Application
    protection: Protection
    problems: tuple[Finding, ...]
    items: tuple[PreviewItem, ...]

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
        )


class MovePreparation:
    """Of moves from restore points: which protection makes the final one, and what is in its way."""

    def __init__(
        self,
        protections: ProtectionService,
        rows: ProtectionRepository,
        restore_points: RestorePointRepository,
        sites: Sites,
        now: Callable[[], datetime],
    ) -> None:
        self._protections = protections
        self._rows = rows
        self._restore_points = restore_points
        self._sites = sites
        self._now = now

    def prepare(self, caller: Caller, manifest: Manifest, target_site: str, rules: Rules) -> Prepared:
        """Look at the source.  What it does not tell is a problem: nothing may be stopped then.

        Raises NotFound, Invalid naming the field; Conflict where no protection can make the final restore point.
        """
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
        return Prepared(application, protection, problems, tuple(_items(application, seen)))

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
