"""Drills by a policy: begun when they are due, one of an application at a time, and told of when they have ended.

As a run, a drill and the end of its tick are written in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from multisite.domain.drill import DrillResult
from multisite.domain.errors import Conflict, MultisiteError, NotFound
from multisite.domain.model import Protection
from multisite.domain.policy import ProtectionPolicy, ProtectionSchedule
from multisite.periodic.lease import LeaseLost
from multisite.recovery.policies.asked import caller_of
from multisite.recovery.policies.ticks import Due, Tick, drill_policy, due, next_tick, put_off_seconds
from multisite.recovery.recover.drills.service import DrillService
from multisite.store.database import Database
from multisite.store.policies import ProtectionScheduleRepository

LOG = logging.getLogger(__name__)

FORGOTTEN = "unknown"
"""The result of a drill that is not known any more."""


class ScheduledDrills:
    """``look`` is called for each protection that has something to do."""

    def __init__(self, database: Database, drills: DrillService, clock: Callable[[], datetime]) -> None:
        self._schedules = ProtectionScheduleRepository(database)
        self._drills, self._clock = drills, clock

    def look(
        self, state: ProtectionSchedule, protection: Protection, policy: ProtectionPolicy
    ) -> ProtectionSchedule:
        """Tell of the drill that has ended, and begin the one that is due; the state after it.

        Raises Conflict when another process has gone on with it.
        """
        state, present = self._tell(state, protection), self._clock()
        if state.drill_due_at is None or state.drill_due_at > present:
            return state
        if policy.paused or protection.paused:
            return self._change(state, with_drill(state, policy, present))
        assert state.drill_tick_at is not None
        tick = Tick(state.drill_tick_at, state.drill_due_at, state.backup)
        found = due(drill_policy(policy), state.id, state.since, tick, present)
        caller = caller_of(state.asked_by)
        before = self._drills.unfinished(caller, protection.application_id)
        if before is None:
            return self._begin(state, protection, policy, found)
        said = f"the drill of {_at(found)} was skipped: drill {before.id} is {before.state}"
        LOG.warning("protection %s of %s: %s", state.id, protection.application, said)
        told = {"drills_skipped": state.drills_skipped + 1, "drill_note": said}
        return self._change(state, _following(state, policy, found, present, **told))

    def _begin(
        self, state: ProtectionSchedule, protection: Protection, policy: ProtectionPolicy, found: Due
    ) -> ProtectionSchedule:
        present, after = self._clock(), list[ProtectionSchedule]()
        target = _turn(protection, state, found)

        def begun(drill_id: str) -> None:
            """In the transaction of the job: both or neither."""
            told: dict[str, Any] = {"drills": state.drills + 1, "drill_note": _missed(found)}
            told |= {
                "drill_target": target,
                "last_drill_at": present,
                "last_drill_id": drill_id,
                "last_drill_result": None,
            }
            after.append(self._change(state, _following(state, policy, found, present, **told)))

        try:
            if not target:
                raise Conflict(
                    "the protection has no target site: give it one with `openstack multisite protection set "
                    f"{protection.application} --target-site <site>`"
                )
            self._drills.start_newest(
                caller_of(state.asked_by), protection.application_id, target, begun=begun
            )
        except LeaseLost:
            raise
        except MultisiteError as error:
            return self._put_off(state, protection, found, target, str(error))
        return after[-1]

    def _put_off(
        self, state: ProtectionSchedule, protection: Protection, found: Due, target: str, why: str
    ) -> ProtectionSchedule:
        attempts = 0 if found.missed else state.drill_attempts
        where = f" in {target}" if target else ""
        said = f"the drill of {_at(found)}{where} could not begin, and is tried again: {why}"
        LOG.warning("protection %s of %s: %s", state.id, protection.application, said)
        wanted = replace(
            state,
            drill_tick_at=found.tick.at,
            drill_due_at=self._clock() + timedelta(seconds=put_off_seconds(attempts)),
            drill_attempts=min(attempts + 1, 10),
            drills_missed=state.drills_missed + found.missed,
            drill_note=said,
            drill_target=target,
        )
        return self._change(state, wanted)

    def _tell(self, state: ProtectionSchedule, protection: Protection) -> ProtectionSchedule:
        """What came of the last one, once: a failed one is a line of the log at WARNING."""
        if state.last_drill_id is None or state.last_drill_result is not None:
            return state
        try:
            found = self._drills.get(caller_of(state.asked_by), state.last_drill_id)
        except NotFound:
            return self._change(state, replace(state, last_drill_result=FORGOTTEN))
        if found.result is None:
            return state
        after = self._change(state, replace(state, last_drill_result=found.result.value))
        passed = found.result is DrillResult.PASSED
        LOG.log(
            logging.INFO if passed else logging.WARNING,
            "drill %s: protection=%s application=%s target_site=%s drill=%s: %s",
            found.result, protection.id, protection.application, found.target_site, found.id,
            "; ".join(found.reasons) or f"RTO {found.rto_seconds} s, RPO {found.rpo_seconds} s",
        )  # fmt: skip
        return after

    def _change(self, before: ProtectionSchedule, after: ProtectionSchedule) -> ProtectionSchedule:
        self._schedules.go_on(before, after)
        return after


def _turn(protection: Protection, state: ProtectionSchedule, found: Due) -> str:
    """The target site whose turn it is, "" without any: each after the other, whatever came of the one before."""
    targets, last = protection.target_sites, state.drill_target
    if last not in targets:
        return targets[0] if targets else ""
    again = state.drill_attempts > 0 and not found.missed
    return last if again else targets[(targets.index(last) + 1) % len(targets)]


def with_drill(
    state: ProtectionSchedule, policy: ProtectionPolicy, after: datetime, **more: Any
) -> ProtectionSchedule:
    """Its next drill is the first after that moment; none without a schedule."""
    tick = next_tick(drill_policy(policy), state.id, state.since, after)
    at, due_at = (tick.at, tick.due_at) if tick else (None, None)
    return replace(state, drill_tick_at=at, drill_due_at=due_at, drill_attempts=0, **more)


def _following(
    state: ProtectionSchedule, policy: ProtectionPolicy, found: Due, present: datetime, **more: Any
) -> ProtectionSchedule:
    """It waits for the drill after the one that was due; what went by is missed, and not made up for."""
    more = {"drills_missed": state.drills_missed + found.missed, **more}
    after = with_drill(state, policy, found.tick.at, **more)
    late = after.drill_due_at is not None and after.drill_due_at <= present
    return with_drill(state, policy, present, **more) if late else after


def _at(found: Due) -> str:
    return f"{found.tick.at:%Y-%m-%d %H:%M} UTC"


def _missed(found: Due) -> str | None:
    if not found.missed:
        return None
    first = f"{found.first:%Y-%m-%d %H:%M} UTC"
    return f"{found.missed} drills were missed, the first of {first}: one was begun in their place"
