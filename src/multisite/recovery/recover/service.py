"""What operators do to recover applications: look before, start by their explicit word, resume, undo.

A recovery needs the backup store and the target.  The source is only asked, for a few seconds and before
anything is decided, whether it is still alive; no answer is an answer.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.epoch import Epochs
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.findings import Finding, blockers, describe
from multisite.domain.manifest import Manifest
from multisite.domain.model import Preview, PreviewItem, Purpose, Recovery, RecoveryState
from multisite.domain.page import ALL, Page
from multisite.domain.validation import check_confirmed
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState, StepState
from multisite.recovery.epochs import EpochStore
from multisite.recovery.failback.reprotect import Reprotection
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.table import METHODS
from multisite.recovery.plans.outside import NOTHING, Outside
from multisite.recovery.plans.question import Question, ask
from multisite.recovery.plans.targets import KnownTargets
from multisite.recovery.protect.forget import KIND as FORGET
from multisite.recovery.protect.points import KnownPoints
from multisite.recovery.protect.runs import refuse_while_moving
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.recover.copies import Copy, copies_of, in_the_way
from multisite.recovery.recover.decider import Decider
from multisite.recovery.recover.drills.build import drill_service
from multisite.recovery.recover.hooks.plan import PROMPT
from multisite.recovery.recover.job import KIND, RECOVERY_STATES, recover_kind
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.moves.build import move_preparation
from multisite.recovery.recover.moves.dependencies import MoveDependencies
from multisite.recovery.recover.moves.job import KIND as MOVE
from multisite.recovery.recover.moves.prepare import Prepared, refuse_one_by_one
from multisite.recovery.recover.plan import Decision
from multisite.recovery.recover.recoverability import RecoverabilityChecks
from multisite.recovery.recover.speed import SpeedModel
from multisite.recovery.standby.build import standby_service
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.recoveries import RecoveryRepository
from multisite.store.recovery_plans import RecoveryPlanRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.standby import StandbyRepository
from multisite.store.trail import AuditTrail

_AT_WORK = (RecoveryState.RUNNING, RecoveryState.UNDOING)
_TAKEN_AWAY = frozenset({JobState.UNDOING, JobState.UNDONE})


class RecoveryService:
    """The verbs.  Callers see what is of their project, administrators everything.

    ``speed``: how fast sites restore, until a recovery there was measured; None predicts nothing.  ``outside``: what
    recovery plans may reach.  ``protections``: make the last restore point of a move; without them nothing is moved.
    Registers the kinds of job "recover", "drill", "drill-kept", "standby" and "move" with ``jobs``; ``drills`` has the
    verbs of drills, ``recoverability`` looks whether it could be done, ``standby`` keeps restore points restored.
    """

    def __init__(
        self,
        database: Database,
        manifests: ManifestStore,
        jobs: JobEngine,
        clouds: Sites,
        *,
        restores_per_site: int,
        calls_per_site: int,
        speed: SpeedModel | None = None,
        audit: AuditTrail | None = None,
        methods: Mapping[str, ProtectionMethod] = METHODS,
        outside: Outside = NOTHING,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        protections: ProtectionService | None = None,
    ) -> None:
        self._database = database
        self._recoveries = RecoveryRepository(database)
        self._restore_points = RestorePointRepository(database)
        self._plans = RecoveryPlanRepository(database)
        self._targets = KnownTargets(database)
        self._standbys = StandbyRepository(database)
        self._manifests = manifests
        self._epochs = EpochStore(manifests, ApplicationRepository(database))
        self._jobs = jobs
        self._clouds = clouds
        self._audit = audit
        self._now = now
        self._decider = Decider(
            database, manifests, jobs, clouds, restores_per_site=restores_per_site, speed=speed, methods=methods,
            outside=outside, now=now,
        )  # fmt: skip
        points = KnownPoints(self._restore_points, manifests, self._epochs)
        self.recoverability = RecoverabilityChecks(database, points, self._decider, now)
        self.standby = standby_service(
            database, points, jobs, clouds, self._decider, methods, restores_per_site=restores_per_site, now=now,
        )  # fmt: skip
        before_undo = Reprotection(database, jobs, now).before_undo
        jobs.register(recover_kind(
            clouds, manifests, self._recoveries, self._epochs, restores_per_site=restores_per_site,
            calls_per_site=calls_per_site, methods=methods, outside=outside, now=now, before_undo=before_undo,
        ))  # fmt: skip
        self.drills = drill_service(
            database, manifests, jobs, clouds, self._decider, self._refuse_deleted, methods=methods, now=now,
            restores_per_site=restores_per_site, calls_per_site=calls_per_site, outside=outside,
        )  # fmt: skip
        here = None if protections is None else MoveDependencies(
            clouds, self._recoveries, self._epochs, protections, self._decider, methods, restores_per_site,
            calls_per_site, now, before_undo, outside,
        )  # fmt: skip
        self._moves = None if here is None else move_preparation(database, jobs, here)

    def preview(
        self,
        caller: Caller,
        restore_point: str,
        target_site: str | None,
        mapping: Mapping[str, Any] | None = None,
        *,
        supersede: bool = False,
        purpose: Purpose = Purpose.DISASTER,
        plan: str | None = None,
    ) -> Preview:
        """What a recovery, a drill or a move would do and what is in its way; changes nothing.

        ``plan``: a recovery plan (name or id), whose site it is for then; of its rules ``mapping`` replaces some.
        Without one, ``target_site`` None is the only target of the protection.
        ``supersede``: the operator vouches that the copies other recoveries made of the application are given up.

        Raises NotFound, Invalid naming the field of the mapping (for a project, too, that is not granted), Conflict for
        a damaged restore point, StoreUnavailable, and SiteError when the target as a whole cannot be read.
        """
        manifest = self._decider.manifest(caller, restore_point)
        asked = self._asked(caller, manifest, purpose, target_site, mapping, plan)
        if purpose is Purpose.DRILL:
            return self._decider.decide(caller, manifest, asked, (), purpose=purpose).preview
        copies = copies_of(self._of(manifest), self._epochs.read(manifest.application_id), manifest.epoch)
        others = in_the_way(copies, manifest.application, asked.target_site, superseded=supersede)
        move = self._prepared(caller, manifest, asked) if purpose is Purpose.MOVE else None
        others = (*others, *_problems(move))
        return self._decider.decide(
            caller, manifest, asked, others, purpose=purpose, items=_items(move)
        ).preview

    def start(
        self,
        caller: Caller,
        restore_point: str,
        target_site: str | None,
        mapping: Mapping[str, Any] | None = None,
        *,
        confirm: str,
        preview: str | None = None,
        supersede: bool = False,
        plan: str | None = None,
        purpose: Purpose = Purpose.DISASTER,
    ) -> Recovery:
        """Recover or move an application; ``confirm`` must be its name, ``preview`` may be a preview's ``digest``.

        ``plan``: as for ``preview``; one that was changed since is noticed by the digest.
        Decides anew from what the target is now.  Conflict lists every blocking problem, says that it is not
        what the preview showed, or which other recovery made or makes a copy of this application (``supersede``
        as for ``preview``; who said so is in the audit trail, as are the losses that are accepted); nothing has been
        changed then.  Otherwise raises as ``preview`` does.
        """
        manifest = self._decider.manifest(caller, restore_point)
        check_confirmed(confirm, manifest.application, f"restore point {manifest.id}")
        asked = self._asked(caller, manifest, purpose, target_site, mapping, plan)
        epochs = self._epochs.read(manifest.application_id)
        copies = copies_of(self._of(manifest), epochs, manifest.epoch)
        others = in_the_way(copies, manifest.application, asked.target_site, superseded=supersede)
        _refuse(others)
        move = self._prepared(caller, manifest, asked) if purpose is Purpose.MOVE else None
        others = (*others, *_problems(move))
        decision = self._decider.settle(
            caller, manifest, asked, others, preview, purpose=purpose, items=_items(move)
        )
        return self._begin(caller, manifest, decision, asked, epochs, supersede=supersede, move=move)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[Recovery]:
        """Newest first."""
        return self._as_their_jobs_are(self._recoveries.list(caller.scope, page=page))

    def get(self, caller: Caller, id: str) -> Recovery:
        """By id; NotFound also for one of another project."""
        found = self._recoveries.get(id, caller.scope)
        return self._as_its_job_is(found)

    def resume(self, caller: Caller, id: str) -> Recovery:
        """Go on with a paused recovery; what it made already is kept.  Conflict when it is not paused.

        Questions of its plan that are open count as answered.
        """
        return self._again(caller, id, RecoveryState.RUNNING, self._jobs.resume, said="")

    def answer(self, caller: Caller, id: str, text: str) -> Recovery:
        """Answer the question of its plan that a recovery waits with, and go on.  Conflict when it waits with none."""
        recovery = self.get(caller, id)
        if not self._questions(recovery):
            raise Conflict(f"recovery: {id} has no open question: it is {recovery.state}")
        return self._again(caller, id, RecoveryState.RUNNING, self._jobs.resume, said=text)

    def _questions(self, recovery: Recovery) -> builtins.list[str]:
        """Names of the steps that wait for an answer."""
        steps = self._jobs.get(recovery.job_id).steps
        return [s.name for s in steps if s.name.startswith(PROMPT) and s.state == StepState.FAILED]

    def undo(self, caller: Caller, id: str) -> Recovery:
        """Remove everything it made at the target, last first; imported backup records stay.

        One that was reprotected is described where it was before.  Conflict while it runs (cancel its job first), when
        it was undone already, and when it is committed.
        """
        return self._again(caller, id, RecoveryState.UNDOING, self._jobs.undo)

    def _of(self, manifest: Manifest) -> builtins.list[Recovery]:
        """All recoveries of its application."""
        return self._as_their_jobs_are(self._recoveries.list(application_id=manifest.application_id))

    def _refuse_deleted(self, manifest: Manifest) -> None:
        """Its restore point is being deleted, or the run that made it undone; asked in a claim."""
        with suppress(NotFound):
            point = self._restore_points.get(manifest.id)
            job = self._jobs.get(point.job_id or "")
            if job.kind == FORGET or job.state in _TAKEN_AWAY:
                raise Conflict(
                    f"restore point {manifest.id} is being deleted: job {job.id} ({job.title}) is {job.state}: "
                    "recover from another restore point"
                )

    def _begin(
        self,
        caller: Caller,
        manifest: Manifest,
        decision: Decision,
        asked: Question,
        epochs: Epochs,
        *,
        supersede: bool,
        move: Prepared | None,
    ) -> Recovery:
        """Job and recovery are written together: there is never one without the other."""
        recovery_id, target = str(uuid.uuid4()), decision.plan.target_site
        with self._recoveries.claim(manifest.application_id):
            copies = copies_of(known := self._of(manifest), epochs, manifest.epoch)
            _refuse(in_the_way(copies, manifest.application, target, superseded=supersede))
            self._refuse_deleted(manifest)
            if decision.plan.standby:
                self._standbys.claim(decision.plan.standby, recovery_id)
            plan = replace(decision.plan, epoch=_following(known, epochs))
            job_id = self._start_job(caller, recovery_id, manifest, plan, asked, move)
            if self._audit is not None:  # who typed the name, and vouched: with the recovery or not at all
                approve = partial(
                    self._audit.approved, caller, path="/v1/recoveries", project_id=manifest.project_id,
                    job_id=job_id, subject=recovery_id,
                )  # fmt: skip
                _approve(approve, manifest, decision, copies, asked.rules)
            return self._recoveries.add(
                Recovery(
                    id=recovery_id, application=manifest.application, project_id=manifest.project_id,
                    restore_point_id=manifest.id, target_site=target, state=RecoveryState.RUNNING, job_id=job_id,
                    requested_by=caller.user_name, created_at=self._now(), consistent_at=manifest.consistent_at,
                    mapping=asked.mapping, application_id=manifest.application_id, epoch=plan.epoch,
                    site_project_id=plan.target_project, plan=asked.plan.name if asked.plan else "",
                    purpose=Purpose.MOVE if move else Purpose.DISASTER, method=manifest.method,
                    warm=bool(decision.plan.standby),
                )
            )  # fmt: skip

    def _start_job(
        self,
        caller: Caller,
        recovery_id: str,
        manifest: Manifest,
        plan: RecoverPlan,
        asked: Question,
        move: Prepared | None,
    ) -> str:
        """In the claim.  A move has the application to itself, as a run has."""
        start = partial(
            self._jobs.start, project_id=manifest.project_id, requested_by=caller.user_name,
            request_id=caller.request_id,
        )  # fmt: skip
        where = f"{manifest.application} in {plan.target_site}"
        if move is None or self._moves is None:
            params: dict[str, Any] = {"recovery_id": recovery_id, "plan": plan.to_json()}
            return start(KIND, params, title=f"Recover {where}", subject=recovery_id)
        self._claim(move.application.id, manifest.application)
        refuse_while_moving(self._recoveries, move.application.id, manifest.application)
        self._moves.keep(move)
        order = move.order(recovery_id, plan, asked, caller.user_name)
        title = f"Move {manifest.application} from {manifest.source.name} to {plan.target_site}"
        return start(MOVE, order.to_params(), title=title, subject=move.application.id)

    def _asked(
        self,
        caller: Caller,
        manifest: Manifest,
        purpose: Purpose,
        target_site: str | None,
        mapping: Mapping[str, Any] | None,
        plan: str | None,
    ) -> Question:
        asked = ask(self._plans, self._targets, caller, manifest, target_site, mapping, plan, purpose)
        if purpose is Purpose.MOVE:
            return asked if self._moves is None else self._moves.asked(manifest, asked)
        refuse_one_by_one(asked.rules)
        return asked

    def _prepared(self, caller: Caller, manifest: Manifest, asked: Question) -> Prepared:
        if self._moves is None:
            raise Conflict("purpose: nothing is protected here, so nothing can be moved")
        return self._moves.prepare(caller, manifest, asked)

    def _claim(self, application_id: str, name: str) -> None:
        self._jobs.claim(application_id, f"application {name}")

    def _again(
        self,
        caller: Caller,
        id: str,
        state: RecoveryState,
        order: Callable[[str, str], None],
        said: str | None = None,
    ) -> Recovery:
        """``said``: to the questions that are open, None: nothing."""
        recovery = self.get(caller, id)
        answer = {"text": said or "", "by": caller.user_name, "at": self._now().isoformat()}
        with self._database.session():
            if recovery.purpose is Purpose.MOVE and recovery.state not in _AT_WORK:
                self._claim(recovery.application_id, recovery.application)
            answers = {} if said is None else dict.fromkeys(self._questions(recovery), answer)
            order(recovery.job_id, caller.user_name)  # an undo may take a reprotection back
            return self._recoveries.change(
                recovery.id,
                lambda known: replace(
                    known, state=state, ended_at=None, error=None, answers={**known.answers, **answers}
                ),
            )

    def _as_its_job_is(self, recovery: Recovery) -> Recovery:
        """The job may have been resumed or undone by its own name."""
        return self._as_their_jobs_are([recovery])[0]

    def _as_their_jobs_are(self, found: Sequence[Recovery]) -> builtins.list[Recovery]:
        states = self._jobs.states([recovery.job_id for recovery in found])
        return [
            replace(recovery, state=RECOVERY_STATES[states[recovery.job_id]])
            if recovery.job_id in states
            else recovery
            for recovery in found
        ]


def _approve(
    approve: Callable[..., None], manifest: Manifest, decision: Decision, copies: Iterable[Copy], rules: Rules
) -> None:
    """Record each thing that the caller gave their word for."""
    target = decision.plan.target_site
    approve("confirm", site=target, resource_id=manifest.id)
    if rules.accept_split:
        approve("accept-split", site=target, resource_id=manifest.id)
    for copy in copies:
        approve("supersede", site=copy.site, resource_id=copy.recovery_id)
    for loss in decision.accepted:
        approve(f"accept-loss {loss.text}", site=target, resource_id=loss.id)


def _following(known: Sequence[Recovery], epochs: Epochs) -> int:
    """The epoch that a recovery will begin: given once, asked in a claim."""
    return max([epochs.highest, *(recovery.epoch for recovery in known)]) + 1


def _problems(move: Prepared | None) -> tuple[Finding, ...]:
    return move.problems if move else ()


def _items(move: Prepared | None) -> tuple[PreviewItem, ...]:
    return move.items if move else ()


def _refuse(others: Sequence[Finding]) -> None:
    if said := describe(blockers(others)):
        raise Conflict(said)
