"""What administrators do with a project's limit over several sites."""

from __future__ import annotations

import builtins
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from multisite.clouds.connect import Sites
from multisite.clouds.quota_limits import RESOURCES
from multisite.domain import work
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid, MultisiteError, NotFound, Unavailable
from multisite.domain.global_quota import UNLIMITED, GlobalQuota
from multisite.domain.page import ALL, Page
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, Json, Step, StepContext
from multisite.jobs.values import decode
from multisite.periodic.lease import held
from multisite.resources.quotas.run import QuotaRunner
from multisite.store.database import Database
from multisite.store.global_quotas import GlobalQuotaRepository

LOG = logging.getLogger(__name__)
KIND = "apply-quota"
SECONDS = 30.0
"""Between two passes over all quotas."""
PATIENCE = 120.0
MOST_SITES = 32
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class QuotaOrder:
    """The parameters of a job."""

    quota_id: str


class GlobalQuotaService:
    """The verbs, and the periodic task ``run``.  Registers the kind of job "apply-quota" with ``jobs``."""

    def __init__(
        self,
        database: Database,
        jobs: JobEngine,
        clouds: Sites,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._jobs, self._clouds = database, jobs, clouds
        self._rows = GlobalQuotaRepository(database)
        self._runner = QuotaRunner(clouds, self._rows, now)
        jobs.register(JobKind(KIND, self._build, on_failure="pause", rule="quota:apply"))

    def create(
        self, caller: Caller, project_id: str, sites: Sequence[str], limits: Mapping[str, int]
    ) -> GlobalQuota:
        """Of a project (its id in our Keystone).  Nothing is changed in a site before a pass.

        Invalid naming the field, Conflict when the project has one.
        """
        quota = GlobalQuota(
            str(uuid.uuid4()), project_id, tuple(sites), dict(limits), False, caller.user_name
        )
        self._refuse_wrong(quota)
        return self._rows.add(quota)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[GlobalQuota]:
        """By project."""
        return self._rows.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> GlobalQuota:
        """By id; NotFound also for one of another project."""
        return self._rows.get(id, caller.scope)

    def change(self, caller: Caller, id: str, wanted: Mapping[str, Any]) -> GlobalQuota:
        """``sites`` replace those there were, ``limits`` are added to them (null takes one away); ``paused``.

        A site or a resource that is left out keeps the limit it has.
        """

        def changed(known: GlobalQuota) -> GlobalQuota:
            limits = {**known.limits, **(wanted.get("limits") or {})}
            limits = {name: limit for name, limit in limits.items() if limit is not None}
            sites = tuple(wanted.get("sites") or known.sites)
            paused = known.paused if wanted.get("paused") is None else bool(wanted["paused"])
            leases = {name: lease for name, lease in known.leases.items() if name in sites}
            usage = {name: one for name, one in known.usage.items() if name in sites}
            return replace(known, limits=limits, sites=sites, paused=paused, leases=leases, usage=usage)

        self._refuse_wrong(changed(self.get(caller, id)))
        return self._rows.change(id, changed)

    def delete(self, caller: Caller, id: str) -> None:
        """Forget it: every site keeps the limits that it has."""
        self.get(caller, id)
        self._rows.delete(id)

    def apply(self, caller: Caller, id: str) -> str:
        """Start the job of one pass; its id."""
        quota = self.get(caller, id)
        return self._jobs.start(
            KIND, QuotaOrder(quota.id), title=f"Lend the limits of project {quota.project_id} to its sites",
            project_id=quota.project_id, requested_by=caller.user_name, request_id=caller.request_id, subject=quota.id,
        )  # fmt: skip

    def run(self) -> None:
        """A pass of each that is not paused; for the loop."""
        for quota in self._rows.list():
            if not quota.paused:
                with work.doing(work.Work("multisite", quota.project_id, subject=quota.id)):
                    self._periodic(quota)

    def _periodic(self, quota: GlobalQuota) -> None:
        try:
            with held(self._database, _lease(quota.id), 0.0):
                self._runner.run(self._rows.get(quota.id))
        except (Unavailable, NotFound) as error:
            LOG.info("quota of project %s: %s", quota.project_id, error)
        except MultisiteError as error:
            LOG.warning("quota of project %s: %s", quota.project_id, error)

    def _build(self, params: Mapping[str, Json]) -> builtins.list[Step]:
        order = decode(params, QuotaOrder, KIND)

        def one_pass(ctx: StepContext) -> object:
            with held(self._database, _lease(order.quota_id), PATIENCE):
                quota = self._runner.run(self._rows.get(order.quota_id))
            for line in quota.told:
                ctx.event(line)
            return {"told": len(quota.told)}

        return [Step("pass", "Lower, look again, raise", one_pass)]

    def _refuse_wrong(self, quota: GlobalQuota) -> None:
        if not quota.sites or len(quota.sites) > MOST_SITES or len(set(quota.sites)) != len(quota.sites):
            raise Invalid(f"sites: name one to {MOST_SITES}, each once")
        if unknown := sorted(set(quota.limits) - set(RESOURCES)):
            raise Invalid(f"limits: {', '.join(unknown)}: there are {', '.join(RESOURCES)}")
        for name, limit in quota.limits.items():
            if not UNLIMITED <= limit <= LARGEST:
                raise Invalid(f"limits: {name}: {limit}: 0 or more, or {UNLIMITED} for no limit")
        for name in quota.sites:
            self._clouds.open(name, for_project=quota.project_id)


def _lease(id: str) -> str:
    return f"quota {id}"
