"""Deciding a recovery, or a drill, from a restore point and what the target and the source are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from multisite.clouds.connect import CloudSite, Sites
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.findings import Finding, blockers, describe
from multisite.domain.manifest import Manifest, ManifestError, digest_of, dump
from multisite.domain.model import PreviewItem, Purpose
from multisite.domain.standby import Standby
from multisite.jobs.engine import JobEngine
from multisite.recovery.data import look, remember
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import ProtectionMethod, StoreAnswer
from multisite.recovery.plans.outside import NOTHING, Outside
from multisite.recovery.plans.question import Question
from multisite.recovery.recover.access import decide_without_access, refusal_of
from multisite.recovery.recover.checks import SourceState
from multisite.recovery.recover.dns import look as dns
from multisite.recovery.recover.drills.isolate import Isolated, isolate
from multisite.recovery.recover.host_room import needs_room
from multisite.recovery.recover.kept_plan import KeptPlan, plan_kept, plan_restored
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.model import PlannedVolume
from multisite.recovery.recover.passthrough import needs_sriov
from multisite.recovery.recover.past import PastRecoveries
from multisite.recovery.recover.plan import Decision, decide
from multisite.recovery.recover.projects import Choice, choose, names_of
from multisite.recovery.recover.promote import PART, read_volumes
from multisite.recovery.recover.source import ANSWER_SECONDS, SilentPreviews, ask_source, of_the_store, told
from multisite.recovery.recover.speed import SpeedModel
from multisite.recovery.recover.target_facts import TargetFacts, read_target
from multisite.store.database import Database
from multisite.store.grants import ProjectGrantRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.standby import StandbyRepository

T = TypeVar("T")


class Decider:
    """``speed``: as ``service.RecoveryService`` says."""

    def __init__(
        self,
        database: Database,
        manifests: ManifestStore,
        jobs: JobEngine,
        clouds: Sites,
        *,
        restores_per_site: int,
        speed: SpeedModel | None,
        methods: Mapping[str, ProtectionMethod],
        outside: Outside = NOTHING,
        now: Callable[[], datetime],
    ) -> None:
        self._recoveries = RecoveryRepository(database)
        self._restore_points = RestorePointRepository(database)
        self._grants = ProjectGrantRepository(database)
        self._standbys = StandbyRepository(database)
        self._manifests = manifests
        self._jobs = jobs
        self._clouds = clouds
        self.past = PastRecoveries(database, jobs, restores_per_site)
        self._speed = speed
        self._methods = methods
        self._outside = outside
        self._now = now
        self._silent = SilentPreviews()

    def manifest(self, caller: Caller, restore_point: str) -> Manifest:
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

    def decide(
        self,
        caller: Caller,
        manifest: Manifest,
        asked: Question,
        others: Sequence[Finding],
        preview: str | None = None,
        *,
        purpose: Purpose = Purpose.DISASTER,
        items: Sequence[PreviewItem] = (),
    ) -> Decision:
        """From what the target is now.  ``others``: of other copies; ``preview``: the digest of an earlier one.
        ``items``: what is done before.

        Raises as ``RecoveryService.preview``.
        """
        target_site, rules = asked.target_site, asked.rules
        project, known = self._project(caller, manifest, target_site, rules)
        rules = replace(rules, projects={manifest.project_id: project.id})
        methods, stored = self._methods_of(manifest), self._look(manifest)
        checks = [partial(method.check_source, stored=stored.seen) for method in methods]
        source = ask_source(self._clouds, manifest, checks)
        target = self._clouds.open(target_site, for_project=manifest.project_id, project=project.id)
        if known and (refused := refusal_of(target)):
            now, answer = self._now(), source.within(ANSWER_SECONDS)
            return decide_without_access(
                manifest, target, rules, now, project, refused, source=answer, others=others, purpose=purpose
            )
        records = self._ask_dns(manifest, asked, purpose, target)
        standby = self._kept(manifest, target_site, purpose)
        facts = _facts(target, manifest, rules, methods, purpose, standby)
        alone = (isolate if purpose is Purpose.DRILL else Isolated)(manifest, facts, rules)
        answer = source.within(0.0 if preview in self._silent else ANSWER_SECONDS)
        try:
            decision = decide(
                alone.manifest, alone.facts, alone.rules, self._now(), purpose=purpose, source=answer, project=project,
                items=(*asked.items, *items, *alone.items),
                speeds=self.past.speeds(target_site, manifest.method), speed=self._speed,
                methods=self._methods, others=(*others, *of_the_store(stored, answer)),
                by_plan=replace(asked.by_plan(self._outside), seen=records()), standby=standby,
            )  # fmt: skip
        except ManifestError as error:
            raise _unusable(manifest.id, error) from error
        all_there, found = told(answer) or stored.unknown is None, decision.preview.problems
        remember(self._restore_points, self._recoveries, manifest, found, all_there=all_there)
        if answer.state is SourceState.UNREACHABLE and preview is None:
            self._silent.note(decision.preview.digest)
        return decision

    def settle(
        self,
        caller: Caller,
        manifest: Manifest,
        asked: Question,
        others: Sequence[Finding],
        preview: str | None,
        *,
        purpose: Purpose = Purpose.DISASTER,
        items: Sequence[PreviewItem] = (),
    ) -> Decision:
        """A decision that may be carried out now.

        Raises as ``RecoveryService.start``: Conflict for every obstacle, and for what ``preview`` has not shown.
        """
        decision = self.decide(caller, manifest, asked, others, preview, purpose=purpose, items=items)
        noun, where = _WORDS[purpose]
        what = f"{noun} of {manifest.application} in {asked.target_site}"
        if said := describe(blockers(decision.preview.problems)):
            raise Conflict(f"{what} is not possible now: {said}")
        if preview not in (None, decision.preview.digest):
            raise Conflict(
                f"preview: a {what} would not do any more what was shown: something has changed {where}; "
                "preview again"
            )
        self.manifest(caller, manifest.id)  # deciding took seconds: it may have been deleted meanwhile
        return decision

    def volumes(self, caller: Caller, manifest: Manifest, target_site: str, rules: Rules) -> KeptPlan:
        """How its volumes alone would be restored at the target as it is now, to be kept there.

        Raises Conflict naming everything in the way; otherwise as ``RecoveryService.preview``.
        """
        return self._alone(caller, manifest, target_site, rules, plan_kept)

    def restores(
        self, caller: Caller, manifest: Manifest, target_site: str, rules: Rules, numbers: Mapping[str, int]
    ) -> tuple[PlannedVolume, ...]:
        """How its volumes are restored at the target as it is now; ``numbers``: by id, in the names of their steps.

        Raises as ``volumes``.
        """
        plan = partial(plan_restored, numbers=numbers)
        return self._alone(caller, manifest, target_site, rules, plan)

    def _alone(
        self, caller: Caller, manifest: Manifest, target_site: str, rules: Rules, plan: Callable[..., T]
    ) -> T:
        project, _ = self._project(caller, manifest, target_site, rules)
        rules = replace(rules, projects={manifest.project_id: project.id})
        stored = self._look(manifest)
        target = self._clouds.open(target_site, for_project=manifest.project_id, project=project.id)
        methods = self._methods_of(manifest)
        facts = read_target(target, method_parts=_own_parts(methods, target, manifest))
        try:
            return plan(manifest, facts, rules, project, stored.gone, self._methods)
        except ManifestError as error:
            raise _unusable(manifest.id, error) from error

    def _project(
        self, caller: Caller, manifest: Manifest, target_site: str, rules: Rules
    ) -> tuple[Choice, bool]:
        """Of the target, and whether any there is granted; raises Invalid for one that is not."""
        granted = self._grants.granted(manifest.project_id, target_site)
        at_source = self._grants.granted(manifest.project_id, manifest.source.name)
        names = names_of(manifest, caller, [grant for grant in at_source if grant.is_default])
        return choose(manifest, target_site, rules.projects, granted, names), bool(granted)

    def _ask_dns(
        self, manifest: Manifest, asked: Question, purpose: Purpose, target: CloudSite
    ) -> Callable[[], dns.Seen]:
        """What the plan's names have now; of a drill nothing is asked."""
        records = () if purpose is Purpose.DRILL or asked.plan is None else asked.plan.dns
        project, here = manifest.project_id, self._outside
        return dns.look(records, lambda one: dns.driver_of(one, project, here, lambda: target))

    def _methods_of(self, manifest: Manifest) -> list[ProtectionMethod]:
        used = {volume.payload.method for volume in manifest.volumes if volume.payload}
        return [self._methods[name] for name in sorted(used & self._methods.keys())]

    def _kept(self, manifest: Manifest, target_site: str, purpose: Purpose) -> list[Standby]:
        """What is kept restored there of just this manifest, for a recovery: drills and moves leave it alone."""
        if purpose is not Purpose.DISASTER:
            return []
        digest = digest_of(dump(manifest))
        return [one for one in self._standbys.of_point(manifest.id, target_site) if one.digest == digest]

    def _look(self, manifest: Manifest) -> StoreAnswer:
        """For the data, in the backup store."""
        try:
            return look(self._methods, self._manifests, manifest)
        except ManifestError as error:
            raise _unusable(manifest.id, error) from error


_WORDS = {
    Purpose.DISASTER: ("recovery", "there, at the source or in the recovery plan"),
    Purpose.DRILL: ("drill", "there or in the recovery plan"),
    Purpose.MOVE: ("move", "there, at the source or in the recovery plan"),
}
"""By purpose: what is started, and where a change of what its preview has shown may be."""


def _facts(
    target: CloudSite,
    manifest: Manifest,
    rules: Rules,
    methods: Sequence[ProtectionMethod],
    purpose: Purpose,
    standby: Sequence[Standby],
) -> TargetFacts:
    own = _own_parts(methods, target, manifest, standby)
    ports_in = set() if purpose is Purpose.DRILL else set(rules.networks.values())
    sriov, room = needs_sriov(manifest), needs_room(manifest)
    return read_target(target, ports_in=ports_in, nic_agents=sriov, host_room=room, method_parts=own)


def _own_parts(
    methods: Sequence[ProtectionMethod],
    target: CloudSite,
    manifest: Manifest,
    standby: Sequence[Standby] = (),
) -> dict[str, Callable[[], object]]:
    """What the methods, and promotion, need to know of the target besides."""
    parts = {k: v for method in methods for k, v in method.target_parts(target, manifest).items()}
    return parts | ({PART: partial(read_volumes, target, standby)} if standby else {})


def _unusable(restore_point: str, error: ManifestError) -> Conflict:
    return Conflict(f"restore point {restore_point} cannot be used: {error}")
