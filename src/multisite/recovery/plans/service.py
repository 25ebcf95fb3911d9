"""What operators do with recovery plans: make them, change them, look at them."""

from __future__ import annotations

import builtins
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from multisite.applications.service import ApplicationService
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.page import ALL, Page
from multisite.domain.recovery_plan import WORDS_OF_THE_DAY, RecoveryPlan
from multisite.recovery.plans.dns import parse_dns
from multisite.recovery.plans.groups import parse_groups
from multisite.recovery.plans.hooks import parse_hooks
from multisite.recovery.recover.mapping import parse
from multisite.store.database import Database
from multisite.store.recovery_plans import RecoveryPlanRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.sites import SiteRepository
from multisite.store.types import now

LOG = logging.getLogger(__name__)


class RecoveryPlanService:
    """The verbs.  Callers see the plans of their project, administrators all."""

    def __init__(
        self, database: Database, applications: ApplicationService, clock: Callable[[], datetime] = now
    ) -> None:
        self._plans = RecoveryPlanRepository(database)
        self._sites = SiteRepository(database)
        self._restore_points = RestorePointRepository(database)
        self._applications, self._clock = applications, clock

    def create(
        self, caller: Caller, name: str, application: str, target_site: str, **given: Any
    ) -> RecoveryPlan:
        """For an application (name or id) that is described here, or that a restore point is of.

        Raises Invalid naming the field, NotFound for application and site, Conflict when the name is taken.
        """
        id, its_name, project_id = self._application(caller, application)
        self._sites.by_name(target_site)
        fresh = RecoveryPlan(
            str(uuid.uuid4()), name, project_id, id, its_name, target_site, created_at=self._clock()
        )
        made = self._plans.add(changed(fresh, given))
        LOG.info("recovery plan %s of %s by %s", made.name, its_name, caller.user_name)
        return made

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[RecoveryPlan]:
        """By name."""
        return self._plans.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> RecoveryPlan:
        """By id; NotFound also for one of another project."""
        return self._plans.get(id, caller.scope)

    def update(self, caller: Caller, id: str, given: Mapping[str, Any]) -> RecoveryPlan:
        """Change what is ``given``; recoveries that are begun already go on as they were.  Raises as ``create``."""
        self.get(caller, id)
        made = self._plans.change(id, lambda known: changed(known, given))
        LOG.info("recovery plan %s changed by %s: %s", made.name, caller.user_name, ", ".join(sorted(given)))
        return made

    def delete(self, caller: Caller, id: str) -> None:
        """Recoveries that were begun by it are as they are."""
        plan = self.get(caller, id)
        self._plans.delete(plan.id)
        LOG.info("recovery plan %s deleted by %s", plan.name, caller.user_name)

    def _application(self, caller: Caller, ref: str) -> tuple[str, str, str]:
        """Id, name and project; one that is only known by its restore points is as good."""
        try:
            found = self._applications.get(caller, ref)
        except NotFound:
            points = self._restore_points.list(caller.scope, named=ref)
            if not points:
                raise
            if len({point.application_id for point in points}) > 1:
                raise Conflict(
                    f"application: there are restore points of several called {ref!r}; give its id"
                ) from None
            return points[0].application_id, points[0].application, points[0].project_id
        return found.id, found.name, found.project_id


def changed(plan: RecoveryPlan, given: Mapping[str, Any]) -> RecoveryPlan:
    """With what is given, checked.  Raises Invalid naming the field."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if "mapping" in wanted:
        wanted["mapping"] = _kept(wanted["mapping"])
    mapping = wanted.get("mapping", plan.mapping)
    groups = parse_groups(wanted.get("groups", [asdict(group) for group in plan.groups]), mapping)
    wanted["groups"] = groups
    known = [group.name for group in groups]
    wanted["hooks"] = parse_hooks(wanted.get("hooks", [asdict(hook) for hook in plan.hooks]), known)
    wanted["dns"] = parse_dns(wanted.get("dns", [asdict(record) for record in plan.dns]))
    return replace(plan, **wanted)


def _kept(mapping: Mapping[str, Any]) -> dict[str, Any]:
    for name in sorted(WORDS_OF_THE_DAY & set(mapping)):
        raise Invalid(
            f"mapping.{name}: no plan keeps it, for it is the word of who recovers: give it when you start"
        )
    parse(mapping)
    return {name: value for name, value in mapping.items() if value is not None}
