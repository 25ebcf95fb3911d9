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
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.findings import Finding, blockers, describe
from multisite.domain.manifest import Manifest, ManifestError
from multisite.domain.model import Preview, Recovery, RecoveryState
from multisite.domain.page import ALL, Page
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.recovery.data import look, remember
from multisite.recovery.epochs import EpochStore
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods import METHODS
from multisite.recovery.methods.base import ProtectionMethod, StoreAnswer
from multisite.recovery.protect.forget import KIND as FORGET
from multisite.recovery.recover.access import decide_without_access, refusal_of
from multisite.recovery.recover.checks import SourceState
from multisite.recovery.recover.copies import Copy, copies_of, in_the_way
from multisite.recovery.recover.job import KIND, RECOVERY_STATES, recover_kind
from multisite.recovery.recover.mapping import Rules, parse
from multisite.recovery.recover.passthrough import needs_sriov
from multisite.recovery.recover.plan import Decision, SpeedModel, decide
from multisite.recovery.recover.projects import Choice, choose, names_of
from multisite.recovery.recover.source import ANSWER_SECONDS, SilentPreviews, ask_source, of_the_store, told
from multisite.recovery.recover.speed import measured
from multisite.recovery.recover.target_facts import read_target
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.grants import ProjectGrantRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.trail import AuditTrail

_TAKEN_AWAY = frozenset({JobState.UNDOING, JobState.UNDONE})


class RecoveryService:
    """The verbs.  Callers see what is of their project, administrators everything.

    ``speed``: how fast sites restore, until a recovery there was measured; None predicts nothing.  Registers
    the kind of job "recover" with ``jobs``.
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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._recoveries = RecoveryRepository(database)
        self._restore_points = RestorePointRepository(database)
        self._grants = ProjectGrantRepository(database)
        self._manifests = manifests
        self._epochs = EpochStore(manifests, ApplicationRepository(database))
        self._jobs = jobs
        self._clouds = clouds
        self._restores_per_site = restores_per_site
        self._speed = speed
        self._audit = audit
        self._methods = methods
        self._now = now
        self._silent = SilentPreviews()
        jobs.register(
            recover_kind(
                clouds,
                manifests,
                self._recoveries,
                self._epochs,
                restores_per_site=restores_per_site,
                calls_per_site=calls_per_site,
                methods=methods,
                now=now,
            )
        )

    def preview(
        self,
        caller: Caller,
        restore_point: str,
        target_site: str,
        mapping: Mapping[str, Any] | None = None,
        *,
        supersede: bool = False,
    ) -> Preview:
        """What a recovery would do and what is in its way; changes nothing.

        ``supersede``: the operator vouches that the copies other recoveries made of the application are given up.

        Raises NotFound, Invalid naming the field of the mapping (for a project, too, that is not granted), Conflict for
        a damaged restore point, StoreUnavailable, and SiteError when the target as a whole cannot be read.
        """
        manifest = self._manifest(caller, restore_point)
        copies = copies_of(self._of(manifest), self._epochs.read(manifest.application_id), manifest.epoch)
        others = in_the_way(copies, manifest.application, target_site, superseded=supersede)
        return self._decide(caller, manifest, target_site, parse(mapping), others).preview

    def start(
        self,
        caller: Caller,
        restore_point: str,
        target_site: str,
        mapping: Mapping[str, Any] | None = None,
        *,
        confirm: str,
        preview: str | None = None,
        supersede: bool = False,
    ) -> Recovery:
        """Recover an application; ``confirm`` must be its name, ``preview`` may be a preview's ``digest``.

        Decides anew from what the target is now.  Conflict lists every blocking problem, says that it is not
        what the preview showed, or which other recovery made or makes a copy of this application (``supersede``
        as for ``preview``; who said so is in the audit trail, as are the losses that are accepted); nothing has been
        changed then.  Otherwise raises as ``preview`` does.
        """
        manifest = self._manifest(caller, restore_point)
        if confirm != manifest.application:
            raise Invalid(
                f"confirm: {confirm!r} is not the application's name: "
                f"restore point {manifest.id} is of {manifest.application!r}"
            )
        epochs = self._epochs.read(manifest.application_id)
        copies = copies_of(self._of(manifest), epochs, manifest.epoch)
        others = in_the_way(copies, manifest.application, target_site, superseded=supersede)
        _refuse(others)
        rules = parse(mapping)
        decision = self._decide(caller, manifest, target_site, rules, others, preview)
        if said := describe(blockers(decision.preview.problems)):
            raise Conflict(f"recovery of {manifest.application} in {target_site} is not possible now: {said}")
        if preview not in (None, decision.preview.digest):
            raise Conflict(
                f"preview: a recovery of {manifest.application} in {target_site} would not do any more what was "
                "shown: something has changed there or at the source; preview again"
            )
        self._manifest(caller, restore_point)  # deciding took seconds: it may have been deleted meanwhile
        return self._begin(caller, manifest, decision, dict(mapping or {}), epochs, supersede=supersede)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[Recovery]:
        """Newest first."""
        return self._as_their_jobs_are(self._recoveries.list(caller.scope, page=page))

    def get(self, caller: Caller, id: str) -> Recovery:
        """By id; NotFound also for one of another project."""
        found = self._recoveries.get(id, caller.scope)
        return self._as_its_job_is(found)

    def resume(self, caller: Caller, id: str) -> Recovery:
        """Go on with a paused recovery; what it made already is kept.  Conflict when it is not paused."""
        return self._again(caller, id, RecoveryState.RUNNING, self._jobs.resume)

    def undo(self, caller: Caller, id: str) -> Recovery:
        """Remove everything it made at the target, last first; imported backup records stay.

        Conflict while it runs (cancel its job first) and when it was undone already.
        """
        return self._again(caller, id, RecoveryState.UNDOING, self._jobs.undo)

    def _manifest(self, caller: Caller, restore_point: str) -> Manifest:
        """From the backup store, never from the database: that may be gone, or not agree.

        Another project's is not there, in the same words, and so is a damaged one that nobody can tell whose it is.
        """
        missing = NotFound(f"restore point: there is no restore point {restore_point!r}")
        try:
            manifest = self._manifests.read(restore_point)
        except NotFound:
            raise missing from None
        except ManifestError as error:
            if not caller.is_admin:
                self._restore_points.get(restore_point, caller.project_id)  # NotFound, in these words
            raise _unusable(restore_point, error) from error
        if not caller.is_admin and manifest.project_id != caller.project_id:
            raise missing
        return manifest

    def _decide(
        self,
        caller: Caller,
        manifest: Manifest,
        target_site: str,
        rules: Rules,
        others: Sequence[Finding],
        preview: str | None = None,
    ) -> Decision:
        project, known = self._project(caller, manifest, target_site, rules)
        rules = replace(rules, projects={manifest.project_id: project.id})
        used = {volume.payload.method for volume in manifest.volumes if volume.payload}
        methods = [self._methods[name] for name in sorted(used & self._methods.keys())]
        stored = self._look(manifest)
        checks = [partial(method.check_source, stored=stored.seen) for method in methods]
        source = ask_source(self._clouds, manifest, checks)
        target = self._clouds.open(target_site, for_project=manifest.project_id, project=project.id)
        if known and (refused := refusal_of(target)):
            now, answer = self._now(), source.within(ANSWER_SECONDS)
            return decide_without_access(
                manifest, target, rules, now, project, refused, source=answer, others=others
            )
        own = {k: v for method in methods for k, v in method.target_parts(target).items()}
        ports_in, sriov = set(rules.networks.values()), needs_sriov(manifest)
        facts = read_target(target, ports_in=ports_in, nic_agents=sriov, method_parts=own)
        answer = source.within(0.0 if preview in self._silent else ANSWER_SECONDS)
        speed = self._measured(target_site) or self._speed
        try:
            decision = decide(
                manifest,
                facts,
                rules,
                self._now(),
                source=answer,
                speed=speed,
                methods=self._methods,
                others=(*others, *of_the_store(stored, answer)),
                project=project,
            )
        except ManifestError as error:
            raise _unusable(manifest.id, error) from error
        all_there, found = told(answer) or stored.unknown is None, decision.preview.problems
        remember(self._restore_points, self._recoveries, manifest, found, all_there=all_there)
        if answer.state is SourceState.UNREACHABLE and preview is None:
            self._silent.note(decision.preview.digest)
        return decision

    def _project(
        self, caller: Caller, manifest: Manifest, target_site: str, rules: Rules
    ) -> tuple[Choice, bool]:
        """Of the target, and whether any there is granted; raises Invalid for one that is not."""
        granted = self._grants.granted(manifest.project_id, target_site)
        at_source = self._grants.granted(manifest.project_id, manifest.source.name)
        names = names_of(manifest, caller, [grant for grant in at_source if grant.is_default])
        return choose(manifest, target_site, rules.projects, granted, names), bool(granted)

    def _look(self, manifest: Manifest) -> StoreAnswer:
        """For the data, in the backup store."""
        try:
            return look(self._methods, self._manifests, manifest)
        except ManifestError as error:
            raise _unusable(manifest.id, error) from error

    def _measured(self, target_site: str) -> SpeedModel | None:
        """Speeds of the last recovery that was carried out there to the end."""
        for recovery in self._recoveries.list(state=RecoveryState.DONE):
            if recovery.target_site == target_site:
                with suppress(NotFound):
                    return measured(self._jobs.get(recovery.job_id), self._restores_per_site)
        return None

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
        mapping: dict[str, Any],
        epochs: Epochs,
        *,
        supersede: bool,
    ) -> Recovery:
        """Job and recovery are written together: there is never one without the other."""
        recovery_id, target = str(uuid.uuid4()), decision.plan.target_site
        with self._recoveries.claim(manifest.application_id):
            copies = copies_of(known := self._of(manifest), epochs, manifest.epoch)
            _refuse(in_the_way(copies, manifest.application, target, superseded=supersede))
            self._refuse_deleted(manifest)
            plan = replace(decision.plan, epoch=_following(known, epochs))
            job_id = self._jobs.start(
                KIND,
                {"recovery_id": recovery_id, "plan": plan.to_json()},
                title=f"Recover {manifest.application} in {target}",
                project_id=manifest.project_id,
                requested_by=caller.user_name,
                request_id=caller.request_id,
                subject=recovery_id,
            )
            if self._audit is not None:  # who typed the name, and vouched: with the recovery or not at all
                approve = partial(
                    self._audit.approved, caller, path="/v1/recoveries", project_id=manifest.project_id,
                    job_id=job_id, subject=recovery_id,
                )  # fmt: skip
                _approve(approve, manifest, decision, copies)
            return self._recoveries.add(
                Recovery(
                    id=recovery_id, application=manifest.application, project_id=manifest.project_id,
                    restore_point_id=manifest.id, target_site=target, state=RecoveryState.RUNNING, job_id=job_id,
                    requested_by=caller.user_name, created_at=self._now(), consistent_at=manifest.consistent_at,
                    mapping=mapping, application_id=manifest.application_id, epoch=plan.epoch,
                    site_project_id=plan.target_project,
                )
            )  # fmt: skip

    def _again(
        self, caller: Caller, id: str, state: RecoveryState, order: Callable[[str, str], None]
    ) -> Recovery:
        recovery = self.get(caller, id)
        with self._database.session():
            order(recovery.job_id, caller.user_name)
            return self._recoveries.update(replace(recovery, state=state, ended_at=None, error=None))

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
    approve: Callable[..., None], manifest: Manifest, decision: Decision, copies: Iterable[Copy]
) -> None:
    """Record each thing that the caller gave their word for."""
    target = decision.plan.target_site
    approve("confirm", site=target, resource_id=manifest.id)
    for copy in copies:
        approve("supersede", site=copy.site, resource_id=copy.recovery_id)
    for loss in decision.accepted:
        approve(f"accept-loss {loss.text}", site=target, resource_id=loss.id)


def _unusable(restore_point: str, error: ManifestError) -> Conflict:
    return Conflict(f"restore point {restore_point} cannot be used: {error}")


def _following(known: Sequence[Recovery], epochs: Epochs) -> int:
    """The epoch that a recovery will begin: given once, asked in a claim."""
    return max([epochs.highest, *(recovery.epoch for recovery in known)]) + 1


def _refuse(others: Sequence[Finding]) -> None:
    if said := describe(blockers(others)):
        raise Conflict(said)
