"""When a protection is run next by its policy.  Pure: the caller has the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise

from multisite.domain.policy import BackupKind, PolicySchedule, ProtectionPolicy
from multisite.periodic.schedule import Cron

MOST_COUNTED = 1000
"""Ticks that went by are counted one by one up to here."""
YEAR = timedelta(days=366)
RETRY, LONGEST_RETRY = 60.0, 900.0
"""Seconds until what could not begin is tried again: the first, each twice the one before, at most."""
_ORDER = tuple(BackupKind)
"""Of two runs at the same moment the first of these is made."""


@dataclass(frozen=True)
class Tick:
    """``due_at``: ``at`` and the protection's jitter."""

    at: datetime
    due_at: datetime
    backup: BackupKind


@dataclass(frozen=True)
class Due:
    """The run to make now in place of all that are due: the newest, and a full one when one of them was.

    ``missed``: how many went by before it, the oldest of them at ``first``.
    """

    tick: Tick
    missed: int
    first: datetime


def next_tick(policy: ProtectionPolicy, protection_id: str, since: datetime, after: datetime) -> Tick | None:
    """The first one later than ``after``; None for a policy without schedules.  Intervals count from ``since``."""
    found = [(_first(schedule, since, after), schedule.backup) for schedule in policy.schedules]
    if not found:
        return None
    at, backup = min(found, key=lambda one: (one[0], _ORDER.index(one[1])))
    return Tick(at, at + timedelta(seconds=jitter(policy, protection_id)), backup)


def due(policy: ProtectionPolicy, protection_id: str, since: datetime, tick: Tick, now: datetime) -> Due:
    """What is to be run for ``tick``, whose moment has come, and all after it whose moment has come, too."""
    passed = list(_passed(policy, protection_id, since, tick, now))
    newest = passed[-1]
    backup = min((one.backup for one in passed), key=_ORDER.index)
    return Due(Tick(newest.at, newest.due_at, backup), len(passed) - 1, tick.at)


def longest_gap(policy: ProtectionPolicy, since: datetime) -> float | None:
    """Seconds between two ticks of a protection that gets the policy then, at most; None without schedules."""
    ticks: list[datetime] = []
    after, until = since - timedelta(seconds=1), since + YEAR
    while len(ticks) < 2 or (after < until and len(ticks) < MOST_COUNTED):
        tick = next_tick(policy, "", since, after)
        if tick is None:
            return None
        ticks.append(tick.at)
        after = tick.at
    return max((later - tick).total_seconds() for tick, later in pairwise(ticks))


def drill_policy(policy: ProtectionPolicy) -> ProtectionPolicy:
    """The policy with the schedule of its drills in the place of those of its runs."""
    return replace(policy, schedules=(PolicySchedule(cron=policy.drill_cron),) if policy.drill_cron else ())


def put_off_seconds(attempts: int) -> float:
    """Until it is tried again, after so many tries."""
    return float(min(RETRY * 2**attempts, LONGEST_RETRY))


def jitter(policy: ProtectionPolicy, protection_id: str) -> float:
    """Seconds; of one protection always the same, of many spread evenly."""
    share = int.from_bytes(sha256(protection_id.encode()).digest()[:4]) / 2**32
    return round(policy.jitter_seconds * share, 3)


def _passed(
    policy: ProtectionPolicy, protection_id: str, since: datetime, tick: Tick, now: datetime
) -> Iterator[Tick]:
    found: Tick | None = tick
    for _ in range(MOST_COUNTED):
        if found is None or (found is not tick and found.due_at > now):
            return
        yield found
        found = next_tick(policy, protection_id, since, found.at)


def _first(schedule: PolicySchedule, since: datetime, after: datetime) -> datetime:
    if schedule.cron is not None:
        return Cron(schedule.cron).first(max(after, since))
    step = timedelta(seconds=schedule.interval_seconds or 1)
    return since if after < since else since + step * ((after - since) // step + 1)
