"""The RPO of protections as it is now, its series, and the alarm when it is missed."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from multisite.domain.model import Protection, RestorePoint
from multisite.domain.policy import ProtectionPolicy, ProtectionSchedule
from multisite.domain.rpo import MOST_RATED, Prospect, RpoNow, RpoSample, RpoState, judge, thinned
from multisite.recovery.manifests import StoreUnavailable
from multisite.recovery.protect.points import KnownPoints
from multisite.store.database import Database
from multisite.store.policies import PolicyRepository, ProtectionScheduleRepository
from multisite.store.protections import ProtectionRepository
from multisite.store.rpo import RpoSamples
from multisite.store.types import now

LOG = logging.getLogger(__name__)

SECONDS = 300.0
"""Between two samples."""
MOST_SHOWN = 500


@dataclass(frozen=True)
class RpoAlarm:
    """A protection's RPO changed to ``now`` from ``before`` (None: it was not looked at before)."""

    protection: Protection
    now: RpoNow
    before: RpoState | None


@dataclass(frozen=True)
class RpoReport:
    """``now``: if the site died now.  ``samples``: oldest first, of a long time the worst of each stretch.

    ``events``: the samples in which the state changed.
    """

    protection_id: str
    application: str
    now: RpoNow
    samples: tuple[RpoSample, ...]
    events: tuple[RpoSample, ...]


def log_alarm(alarm: RpoAlarm) -> None:
    """At WARNING when it is missed, at risk or unknown."""
    bad = alarm.now.state in (RpoState.MISSED, RpoState.AT_RISK, RpoState.UNKNOWN)
    LOG.log(
        logging.WARNING if bad else logging.INFO,
        "rpo %s: protection=%s application=%s target_seconds=%s actual_seconds=%s: %s",
        alarm.now.state, alarm.protection.id, alarm.protection.application, alarm.now.target_seconds,
        None if alarm.now.lost_seconds is None else round(alarm.now.lost_seconds), alarm.now.reason or "met again",
    )  # fmt: skip


class Rpo:
    """``alarms``: called with each change of a state; what they raise is logged."""

    def __init__(
        self,
        database: Database,
        points: KnownPoints,
        clock: Callable[[], datetime] = now,
        alarms: Sequence[Callable[[RpoAlarm], None]] = (log_alarm,),
    ) -> None:
        self._points, self._clock, self._alarms = points, clock, alarms
        self._rows = ProtectionRepository(database)
        self._policies = PolicyRepository(database)
        self._schedules = ProtectionScheduleRepository(database)
        self._samples = RpoSamples(database)

    def of(self, protections: Sequence[Protection]) -> dict[str, RpoNow]:
        """As it is now, by id of the protection; the store is listed once, however many there are."""
        projects = {protection.project_id for protection in protections}
        scope = projects.pop() if len(projects) == 1 else None
        policies = {policy.id: policy for policy in self._policies.list(scope)}
        states = {state.id: state for state in self._schedules.list(scope)}
        applications = {protection.application_id for protection in protections}
        points, carrying = self._newest(applications), self._points.carrying(applications, MOST_RATED)
        present = self._clock()
        found = {}
        for protection in protections:
            policy = policies.get(protection.policy_id or "")
            prospect = _prospect(protection, policy, states.get(protection.id))
            target = policy.rpo_seconds if policy else None
            known = None if points is None else points.get(protection.application_id, [])
            found[protection.id] = judge(
                known, target, prospect, present, carrying.get(protection.application_id, ())
            )
        return found

    def report(self, protection: Protection, hours: int) -> RpoReport:
        """As it is now, and how it was."""
        samples = self._samples.list(protection.id, self._clock() - timedelta(hours=hours))
        events = tuple(sample for sample in samples if sample.changed)
        shown = tuple(thinned(samples, MOST_SHOWN))
        return RpoReport(
            protection.id, protection.application, self.of([protection])[protection.id], shown, events
        )

    def sample(self) -> None:
        """The periodic task: one sample of each protection with a policy, and an alarm where the state changed."""
        protections = [protection for protection in self._rows.list() if protection.policy_id]
        if not protections:
            return
        before, present = self._samples.last_states(), self._clock()
        found = self.of(protections)
        self._samples.add({p.id: _sample(found[p.id], present, before.get(p.id)) for p in protections})
        days = {policy.id: policy.history_days for policy in self._policies.list()}
        for protection in protections:
            kept = timedelta(days=days.get(protection.policy_id or "", 30))
            self._samples.prune(protection.id, present - kept)
            if before.get(protection.id) != found[protection.id].state:
                self._tell(RpoAlarm(protection, found[protection.id], before.get(protection.id)))

    def _tell(self, alarm: RpoAlarm) -> None:
        if alarm.before is None and alarm.now.state in (RpoState.MET, RpoState.NO_TARGET):
            return
        for call in self._alarms:
            try:
                call(alarm)
            except Exception:
                LOG.exception("an alarm of the RPO of protection %s", alarm.protection.id)

    def _newest(self, applications: set[str]) -> Mapping[str, builtins.list[RestorePoint]] | None:
        """Of each application what ``judge`` needs; None without the store."""
        try:
            return self._points.newest(applications)
        except StoreUnavailable as error:
            LOG.warning("the RPO is not known: %s", error)
            return None


def _prospect(
    protection: Protection, policy: ProtectionPolicy | None, state: ProtectionSchedule | None
) -> Prospect:
    if policy is None or state is None:
        return Prospect(why_none="the protection has no policy")
    if policy.paused or protection.paused:
        return Prospect(
            why_none=f"{f'policy {policy.name}' if policy.paused else 'the protection'} is paused"
        )
    return Prospect(
        state.due_at, f"policy {policy.name} has no schedule", state.note if state.attempts else None
    )


def _sample(found: RpoNow, at: datetime, before: RpoState | None) -> RpoSample:
    sample = RpoSample(at, found.state, found.lost_seconds, found.lost_bytes, found.target_seconds)
    return sample if found.state == before else replace(sample, reason=found.reason, changed=True)
