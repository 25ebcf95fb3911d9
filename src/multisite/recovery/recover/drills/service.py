"""What operators do with drills: begin one, look, end one that is kept, get its report."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.drill import Drill, DrillOptions, DrillStatus
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.manifest import Manifest
from multisite.domain.model import Purpose, Recovery, RecoveryState, RestorePointState
from multisite.domain.page import ALL, Page
from multisite.domain.validation import validated
from multisite.jobs.engine import JobEngine
from multisite.recovery.plans.question import Question, ask
from multisite.recovery.plans.targets import KnownTargets
from multisite.recovery.recover.decider import Decider
from multisite.recovery.recover.drills import report
from multisite.recovery.recover.drills.isolate import mark
from multisite.recovery.recover.drills.job import KEPT, KIND, params_of
from multisite.recovery.recover.job import RECOVERY_STATES
from multisite.recovery.recover.plan import Decision
from multisite.recovery.signatures import ManifestKeys
from multisite.store.database import Database
from multisite.store.drills import DrillRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.recovery_plans import RecoveryPlanRepository
from multisite.store.restore_points import RestorePointRepository


def _nothing(_id: str) -> None: ...


class DrillService:
    """The verbs.  Callers see what is of their project, administrators everything.

    ``refuse_deleted`` raises Conflict for a restore point that is being deleted; asked in a claim.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobEngine,
        decider: Decider,
        keys: ManifestKeys,
        refuse_deleted: Callable[[Manifest], None],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._recoveries = RecoveryRepository(database)
        self._drills = DrillRepository(database)
        self._restore_points = RestorePointRepository(database)
        self._plans = RecoveryPlanRepository(database)
        self._targets = KnownTargets(database)
        self._jobs = jobs
        self._decider = decider
        self._keys = keys
        self._refuse_deleted = refuse_deleted
        self._now = now

    def start(
        self,
        caller: Caller,
        restore_point: str,
        target_site: str | None,
        mapping: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        preview: str | None = None,
        plan: str | None = None,
        begun: Callable[[str], None] = _nothing,
    ) -> DrillStatus:
        """Begin a drill; ``preview`` may be a preview's ``digest``, ``plan`` a recovery plan (name or id).

        ``begun`` is called with the drill's id in the transaction that begins it: what it raises lets nothing happen.
        Raises as ``RecoveryService.start``.  Several drills may be at work, also beside a recovery.
        """
        wanted = validated(DrillOptions, options or {}, "options", "option of a drill")
        manifest = self._decider.manifest(caller, restore_point)
        asked = ask(self._plans, self._targets, caller, manifest, target_site, mapping, plan, Purpose.DRILL)
        decision = self._decider.settle(caller, manifest, asked, (), preview, purpose=Purpose.DRILL)
        return self._begin(caller, manifest, decision, asked, wanted, begun)

    def start_newest(
        self,
        caller: Caller,
        application_id: str,
        target_site: str,
        mapping: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        begun: Callable[[str], None] = _nothing,
    ) -> DrillStatus:
        """For schedules: a drill of the newest usable restore point.

        ``mapping`` None: by the recovery plan, or else the rules, of the newest drill of the application there, with
        its options; it is not kept.  ``begun``: as for ``start``.  Raises as ``start``; Conflict while an earlier drill
        of the application is not at its end, NotFound without a restore point.
        """
        if drill := self.unfinished(caller, application_id):
            raise Conflict(
                f"drill: {drill.id} of {drill.application} is {drill.state}: wait for it, or end it with "
                f"`openstack multisite drill end {drill.id}`"
            )
        points = self._restore_points.list(caller.scope, application_id=application_id)
        usable = [point for point in points if point.state is RestorePointState.AVAILABLE]
        if not usable:
            raise NotFound(
                f"restore point: application {application_id} has none that is usable: protect it first"
            )
        plan = None
        if mapping is None:
            mapping, options, plan = self._as_before(caller, application_id, target_site)
        return self.start(caller, usable[0].id, target_site, mapping, options, plan=plan, begun=begun)

    def unfinished(self, caller: Caller, application_id: str) -> DrillStatus | None:
        """A drill of the application that is not at its end: at work, kept, or not removed."""
        known = self._recoveries.list(caller.scope, application_id=application_id, purpose=Purpose.DRILL)
        open_ones = self._shown([drill for drill in known if drill.state is not RecoveryState.UNDONE])
        return next((drill for drill in open_ones if drill.state != RecoveryState.UNDONE), None)

    def _as_before(
        self, caller: Caller, application_id: str, target_site: str
    ) -> tuple[dict[str, Any] | None, dict[str, Any], str | None]:
        """Mapping, options and plan of the newest drill of an application in a site; nothing without one."""
        known = self._recoveries.list(caller.scope, application_id=application_id, purpose=Purpose.DRILL)
        last = next((drill for drill in known if drill.target_site == target_site), None)
        if last is None:
            return None, {}, None
        options = asdict(replace(self._drills.get(last.id).options, keep=False))
        return (None, options, last.plan) if last.plan else (last.mapping, options, None)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[DrillStatus]:
        """Newest first."""
        return self._shown(self._recoveries.list(caller.scope, purpose=Purpose.DRILL, page=page))

    def get(self, caller: Caller, id: str) -> DrillStatus:
        """By id; NotFound also for one of another project, and for a recovery that is none."""
        return self._shown([self._recovery(caller, id)])[0]

    def end(self, caller: Caller, id: str) -> DrillStatus:
        """Remove what a kept drill has made, or what an earlier end could not remove.  Conflict while it is at work."""
        recovery = self._recovery(caller, id)
        with self._database.session():
            self._jobs.undo(recovery.job_id, caller.user_name)
            self._recoveries.update(replace(recovery, state=RecoveryState.UNDOING, ended_at=None, error=None))
        return self.get(caller, id)

    def report(self, caller: Caller, id: str) -> str:
        """The signed report: a line with the signature, and JSON.  NotFound while there is none."""
        recovery = self._recovery(caller, id)
        sealed = self._drills.get(id).report
        if sealed is None:
            raise NotFound(f"drill: {id} has no report yet: its job {recovery.job_id} is at work")
        return sealed

    def page(self, caller: Caller, id: str) -> str:
        """The report as a page for people, signed in its first line."""
        return report.page(self.report(caller, id), self._keys)

    def public_key(self) -> str:
        """PEM: by it a report can be verified without this installation."""
        return self._keys.export().decode()

    def _recovery(self, caller: Caller, id: str) -> Recovery:
        missing = NotFound(f"drill: there is no drill {id!r}")
        try:
            found = self._recoveries.get(id, caller.scope)
        except NotFound:
            raise missing from None
        if found.purpose is not Purpose.DRILL:
            raise missing
        return found

    def _begin(
        self,
        caller: Caller,
        manifest: Manifest,
        decision: Decision,
        asked: Question,
        options: DrillOptions,
        begun: Callable[[str], None],
    ) -> DrillStatus:
        """Job, recovery and drill are written together."""
        id, target = str(uuid.uuid4()), decision.plan.target_site
        plan = mark(decision.plan, id)
        with self._recoveries.claim(manifest.application_id):
            self._refuse_deleted(manifest)
            job_id = self._jobs.start(
                KEPT if options.keep else KIND,
                params_of(id, plan, options),
                title=f"Drill: recover a copy of {manifest.application} in {target}",
                project_id=manifest.project_id,
                requested_by=caller.user_name,
                request_id=caller.request_id,
                subject=id,
            )
            self._drills.add(Drill(id, options, created_at=self._now()))
            made = self._recoveries.add(
                Recovery(
                    id=id, application=manifest.application, project_id=manifest.project_id,
                    restore_point_id=manifest.id, target_site=target, state=RecoveryState.RUNNING, job_id=job_id,
                    requested_by=caller.user_name, created_at=self._now(), consistent_at=manifest.consistent_at,
                    mapping=asked.mapping, application_id=manifest.application_id, site_project_id=plan.target_project,
                    purpose=Purpose.DRILL, plan=asked.plan.name if asked.plan else "", method=manifest.method,
                )
            )  # fmt: skip
            begun(id)
        return self._shown([made])[0]

    def _shown(self, found: Sequence[Recovery]) -> builtins.list[DrillStatus]:
        states = self._jobs.states([recovery.job_id for recovery in found])
        drills = self._drills.of([recovery.id for recovery in found])
        return [_status(r, drills[r.id], states.get(r.job_id)) for r in found]


def _status(recovery: Recovery, drill: Drill, job_state: Any) -> DrillStatus:
    state = recovery.state if job_state is None else RECOVERY_STATES[job_state]
    made = report.read(drill.report) if drill.report and state not in _AT_WORK else None
    counted = bool(drill.inventory.counts)
    return DrillStatus(
        id=recovery.id,
        application=recovery.application,
        project_id=recovery.project_id,
        state=state.value,
        target_site=recovery.target_site,
        site_project_id=recovery.site_project_id,
        restore_point_id=recovery.restore_point_id,
        consistent_at=recovery.consistent_at,
        verify=drill.options.verify,
        keep=drill.options.keep,
        result=made.result if made else None,
        reasons=made.reasons if made else (),
        rto_seconds=recovery.rto_seconds,
        rpo_seconds=recovery.rpo_seconds,
        inventory_equal=drill.inventory.equal if counted else None,
        job_id=recovery.job_id,
        requested_by=recovery.requested_by,
        created_at=recovery.created_at,
        ended_at=recovery.ended_at,
        error=recovery.error,
    )


_AT_WORK = (RecoveryState.RUNNING, RecoveryState.UNDOING)
