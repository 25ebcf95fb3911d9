"""What operators do with protection policies: make them, give them to protections, see what they would delete."""

from __future__ import annotations

import builtins
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.model import Protection
from multisite.domain.page import ALL, Page
from multisite.domain.policy import PolicySchedule, ProtectionPolicy, ProtectionSchedule
from multisite.domain.retention import Retention, RetentionVerdict
from multisite.domain.validation import validated
from multisite.periodic.schedule import Cron
from multisite.recovery.methods.estimates import Every
from multisite.recovery.policies.asked import kept
from multisite.recovery.policies.drills import with_drill
from multisite.recovery.policies.retention import PolicyRetention
from multisite.recovery.policies.rpo import Rpo, RpoReport
from multisite.recovery.policies.ticks import longest_gap, next_tick
from multisite.recovery.protect.service import ProtectionService
from multisite.store.database import Database
from multisite.store.policies import PolicyRepository, ProtectionScheduleRepository
from multisite.store.protections import ProtectionRepository
from multisite.store.types import now

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetentionPreview:
    """What would be deleted now, and why.  ``held``: why nothing is deleted at present, None: it is."""

    protection_id: str
    application: str
    policy: str | None
    retention: Retention
    held: str | None
    restore_points: tuple[RetentionVerdict, ...]


@dataclass(frozen=True)
class ScheduleStatus:
    """Where a protection is in its policy's schedules.

    ``state``: ``none`` (no policy, or one without schedules), ``paused``, ``waiting``, ``late`` (due, and not begun).
    ``skipped``: due while the run before was still at work; ``missed``: not begun before the next was due.  The same of
    drills; ``last_drill_result``: ``passed``, ``failed``, None until it has ended, ``unknown`` for a forgotten one.
    """

    state: str
    next_run_at: datetime | None = None
    backup: str | None = None
    runs: int = 0
    skipped: int = 0
    missed: int = 0
    last_run_at: datetime | None = None
    last_job_id: str | None = None
    note: str | None = None
    retention_note: str | None = None
    asked_by: str | None = None
    next_drill_at: datetime | None = None
    drills: int = 0
    drills_skipped: int = 0
    drills_missed: int = 0
    last_drill_at: datetime | None = None
    last_drill_id: str | None = None
    last_drill_result: str | None = None
    drill_note: str | None = None
    drill_target: str = ""


LATE = timedelta(seconds=60)
_DRILLS = (
    "drills", "drills_skipped", "drills_missed", "last_drill_at", "last_drill_id", "last_drill_result", "drill_note",
    "drill_target",
)  # fmt: skip
"""Of a schedule, as they are shown."""


class PolicyService:
    """The verbs.  Callers see the policies of their project, administrators all."""

    def __init__(
        self, database: Database, protections: ProtectionService, clock: Callable[[], datetime] = now
    ) -> None:
        self._database, self._clock = database, clock
        self._policies = PolicyRepository(database)
        self._schedules = ProtectionScheduleRepository(database)
        self._rows = ProtectionRepository(database)
        self._protections = protections
        self._retention = PolicyRetention(database, protections)
        self.rpo = Rpo(database, protections.points, clock)

    def create(self, caller: Caller, name: str, **given: Any) -> ProtectionPolicy:
        """Of the caller's project.  Raises Invalid naming the field, Conflict when the name is taken."""
        fresh = ProtectionPolicy(str(uuid.uuid4()), name, caller.project_id, created_at=self._clock())
        made = self._policies.add(changed(fresh, given))
        LOG.info("policy %s by %s", made.name, caller.user_name)
        return made

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[ProtectionPolicy]:
        """By name."""
        return self._policies.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> ProtectionPolicy:
        """By id; NotFound also for one of another project."""
        return self._policies.get(id, caller.scope)

    def every(self, caller: Caller, ref: str) -> Every | None:
        """How often the caller's policy (name or id) runs a protection; None: it has no schedule.  NotFound."""
        try:
            policy = self._policies.by_name(ref, caller.project_id)
        except NotFound:
            policy = self.get(caller, ref)
        seconds = longest_gap(policy, self._clock())
        return None if seconds is None else Every(policy.name, seconds)

    def update(self, caller: Caller, id: str, given: Mapping[str, Any]) -> ProtectionPolicy:
        """Change what is ``given``; its protections go on with it from now on.  Raises as ``create``."""
        known = self.get(caller, id)
        wanted = changed(known, given)
        with self._database.session():
            self._policies.update(wanted)
            for state in self._schedules.list(policy_id=id):
                self._schedules.update(self._adjusted(state, known, wanted))
        LOG.info("policy %s changed by %s: %s", wanted.name, caller.user_name, ", ".join(sorted(given)))
        return wanted

    def delete(self, caller: Caller, id: str) -> None:
        """Conflict while a protection has it."""
        policy = self.get(caller, id)
        self._policies.delete(policy.id)
        LOG.info("policy %s deleted by %s", policy.name, caller.user_name)

    def assign(self, caller: Caller, protection_id: str, given: Mapping[str, Any]) -> Protection:
        """Give a protection the ``policy`` (name or id; None: take it away), or say whether it is ``paused``.

        The policy is carried out in the caller's name from now on.  Raises NotFound; Conflict for another project's.
        """
        known = self._protections.get(caller, protection_id)
        wanted, policy = known, None
        if "policy" in given and given["policy"] is not None:
            policy = self._named(caller, str(given["policy"]), known)
            wanted = replace(wanted, policy_id=policy.id, policy=policy.name)
        elif "policy" in given:
            wanted = replace(wanted, policy_id=None, policy=None)
        if given.get("paused") is not None:
            wanted = replace(wanted, paused=bool(given["paused"]))
        with self._database.session():
            stored = self._rows.update(replace(self._rows.get(known.id), policy_id=wanted.policy_id,
                                               policy=wanted.policy, paused=wanted.paused))  # fmt: skip
            if "policy" in given:
                self._begin(caller, stored, policy)
        LOG.info("protection %s: %s by %s", known.id, dict(given), caller.user_name)
        return stored

    def preview(self, caller: Caller, protection_id: str) -> RetentionPreview:
        """What retention would delete now.  Raises StoreUnavailable: without the store nothing is certain."""
        protection = self._protections.get(caller, protection_id)
        policy = self._of(protection)
        retention = policy.retention if policy else Retention()
        points = self._retention.points(protection)
        return RetentionPreview(
            protection.id,
            protection.application,
            protection.policy,
            retention,
            self._retention.held(protection, policy, points),
            tuple(self._retention.decide(protection, retention, points, self._clock())),
        )

    def rpo_report(self, caller: Caller, protection_id: str, hours: int) -> RpoReport:
        """If the site died now, and how it was in so many hours."""
        return self.rpo.report(self._protections.get(caller, protection_id), hours)

    def schedules(self, protections: Sequence[Protection]) -> dict[str, ScheduleStatus]:
        """By id of the protection; two queries, however many there are."""
        projects = {protection.project_id for protection in protections}
        scope = projects.pop() if len(projects) == 1 else None
        states = {state.id: state for state in self._schedules.list(scope)}
        policies = {policy.id: policy for policy in self._policies.list(scope)}
        return {p.id: self._status(p, states.get(p.id), policies.get(p.policy_id or "")) for p in protections}

    def _status(
        self, protection: Protection, state: ProtectionSchedule | None, policy: ProtectionPolicy | None
    ) -> ScheduleStatus:
        if state is None or policy is None:
            return ScheduleStatus("none")
        paused = protection.paused or policy.paused
        word = "none" if state.due_at is None else "waiting"
        if state.due_at is not None and self._clock() > state.due_at + LATE:
            word = "late"
        return ScheduleStatus(
            state="paused" if paused else word,
            next_run_at=None if paused else state.due_at,
            backup=state.backup if state.tick_at else None,
            runs=state.runs,
            skipped=state.skipped,
            missed=state.missed,
            last_run_at=state.last_run_at,
            last_job_id=state.last_job_id,
            note=state.note,
            retention_note=state.retention_note,
            asked_by=str(state.asked_by["user_name"]),
            next_drill_at=None if paused else state.drill_due_at,
            **{name: getattr(state, name) for name in _DRILLS},
        )

    def _named(self, caller: Caller, ref: str, protection: Protection) -> ProtectionPolicy:
        try:
            found = self._policies.by_name(ref, protection.project_id)
        except NotFound:
            found = self._policies.get(ref, caller.scope)
        if found.project_id != protection.project_id:
            raise Conflict(f"policy: {found.name!r} is of another project than the protection")
        return found

    def _of(self, protection: Protection) -> ProtectionPolicy | None:
        return self._policies.get(protection.policy_id) if protection.policy_id else None

    def _begin(self, caller: Caller, protection: Protection, policy: ProtectionPolicy | None) -> None:
        """In the session of the change."""
        known = next((s for s in self._schedules.list(protection.project_id) if s.id == protection.id), None)
        if policy is not None and known is not None and known.policy_id == policy.id:
            self._schedules.update(replace(known, asked_by=kept(caller)))
            return
        if known is not None:
            self._schedules.delete(known.id)
        if policy is not None:
            present = self._clock()
            state = ProtectionSchedule(
                protection.id, protection.project_id, policy.id, present, kept(caller), retention_at=present
            )
            before = present - timedelta(seconds=1)  # an interval begins at once
            self._schedules.add(with_drill(with_tick(state, policy, before), policy, present))

    def _adjusted(
        self, state: ProtectionSchedule, before: ProtectionPolicy, after: ProtectionPolicy
    ) -> ProtectionSchedule:
        present = self._clock()
        if (before.schedules, before.jitter_seconds) != (after.schedules, after.jitter_seconds):
            state = with_tick(replace(state, since=present, note=None), after, present)
        if (before.drill_cron, before.jitter_seconds) != (after.drill_cron, after.jitter_seconds):
            state = with_drill(state, after, present, drill_note=None)
        return replace(state, retention_at=present)


def with_tick(
    state: ProtectionSchedule, policy: ProtectionPolicy, after: datetime, **more: Any
) -> ProtectionSchedule:
    """It waits for the first tick after that moment."""
    tick = next_tick(policy, state.id, state.since, after)
    if tick is None:
        return replace(state, tick_at=None, due_at=None, attempts=0, **more)
    return replace(state, tick_at=tick.at, due_at=tick.due_at, backup=tick.backup, attempts=0, **more)


def changed(policy: ProtectionPolicy, given: Mapping[str, Any]) -> ProtectionPolicy:
    """With what is given, checked.  Raises Invalid naming the field."""
    none = ("rpo_seconds", "drill_cron")
    wanted = {name: value for name, value in given.items() if value is not None or name in none}
    if wanted.get("drill_cron") is not None:
        _check_cron(str(wanted["drill_cron"]), "drill_cron")
    if "schedules" in wanted:
        asked = enumerate(wanted["schedules"])
        wanted["schedules"] = tuple(_schedule(one, f"schedules.{number}") for number, one in asked)
    if "retention" in wanted:
        wanted["retention"] = validated(Retention, wanted["retention"], "retention", "rule of retention")
    return replace(policy, **wanted)


def _schedule(given: object, where: str) -> PolicySchedule:
    found = validated(PolicySchedule, given, where, "field of a schedule")
    if (found.cron is None) == (found.interval_seconds is None):
        raise Invalid(f"{where}: give one of cron and interval_seconds")
    if found.cron is not None:
        _check_cron(found.cron, f"{where}.cron")
    return found


def _check_cron(expression: str, where: str) -> None:
    try:
        Cron(expression)
    except Invalid as error:
        raise Invalid(f"{where}: {str(error).removeprefix('schedule: ')}") from error
