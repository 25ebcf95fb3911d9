"""Warm standby: restore points whose volumes are kept restored at the target, and what is to be done about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MOST = 8
"""Restore points a protection can keep restored."""
RETRY, LONGEST_RETRY = 60.0, 900.0
"""Seconds until what failed is tried again: the first, each twice the one before, at most."""


class StandbyState(StrEnum):
    REFRESHING = "refreshing"  # its volumes are being restored
    READY = "ready"  # a recovery of its restore point takes its volumes over
    FAILED = "failed"  # could not be restored; nothing of it is left at the target; tried again
    CLAIMED = "claimed"  # a recovery takes its volumes over; nobody else does
    REMOVING = "removing"  # its volumes are being deleted
    LEFT = "left"  # its volumes could not be deleted: something is left at the target; tried again


class StandbyWord(StrEnum):
    """What a protection's warm standby is, in a word."""

    OFF = "off"  # none is wanted, and there is none
    READY = "ready"  # the newest restore point is ready
    BEHIND = "behind"  # only older ones are
    NONE = "none"  # no restore point is ready
    REMOVING = "removing"  # none is wanted any more; what there is goes, or could not be removed yet


@dataclass(frozen=True)
class StandbyVolume:
    """One volume that is kept.  ``source_id``: of the application's; ``id``: at the target.

    ``token``: of the step that restored it; ``updated_at``: as Cinder shows it, when it was marked ready.
    """

    source_id: str
    id: str
    token: str
    size_gib: int
    updated_at: str | None = None


@dataclass(frozen=True)
class Standby:
    """One restore point that is, was or will be restored at the target of a protection.

    ``digest``: of its manifest.  ``job_id``: of the job that restores its volumes, whose undo deletes them; None when
    it could not begin.  ``recovery_id``: the recovery that has it.  ``error``: what went wrong last; ``attempts``: how
    often in a row, the last at ``tried_at``.  ``checked_at``: when its volumes were last seen to be there.
    """

    id: str
    protection_id: str
    application_id: str
    application: str
    project_id: str
    restore_point_id: str
    target_site: str
    state: StandbyState
    digest: str = ""
    site_project_id: str = ""
    job_id: str | None = None
    recovery_id: str | None = None
    volumes: tuple[StandbyVolume, ...] = ()
    created_at: datetime | None = None
    ready_at: datetime | None = None
    checked_at: datetime | None = None
    tried_at: datetime | None = None
    attempts: int = 0
    error: str | None = None

    @property
    def bytes(self) -> int:
        return sum(volume.size_gib for volume in self.volumes) << 30

    def waits(self, now: datetime) -> bool:
        """Until it is tried again."""
        seconds = min(RETRY * 2 ** max(self.attempts - 1, 0), LONGEST_RETRY)
        return self.tried_at is not None and now < self.tried_at + timedelta(seconds=seconds)


class Act(StrEnum):
    CANCEL = "cancel"  # the restoring
    REMOVE = "remove"
    FORGET = "forget"  # nothing of it is left


@dataclass(frozen=True)
class StandbyPlan:
    """``acts``: on what there is; ``start``: the restore point to restore now, ``attempts`` after so many tries."""

    acts: tuple[tuple[Act, Standby], ...]
    start: str | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Wanted:
    """``count``: how many restore points a protection keeps at ``target_site``; ``usable``: those that can be
    recovered, newest first; ``doubtful``: those of which that is not known, or not now.
    """

    count: int
    target_site: str | None = None
    usable: tuple[str, ...] = ()
    doubtful: frozenset[str] = frozenset()


def decide(asked: Wanted, known: Sequence[Standby], ended: Collection[str], now: datetime) -> StandbyPlan:
    """What to do about a protection's standbys (``known``).  Pure.

    ``ended``: ids of recoveries that need what they claimed no more.  One is restored at a time, the newest first; an
    older one goes when as many newer ones are ready, so that there is always one.  What is doubtful stays as it is: it
    may be the last copy of the data.
    """
    usable, wanted = asked.usable, asked.usable[: asked.count]
    mine = [one for one in known if asked.count and one.target_site == asked.target_site]
    ready = {one.restore_point_id for one in mine if one.state is StandbyState.READY}
    kept = [point for point in usable if point in ready][: asked.count]
    kept += sorted(asked.doubtful)
    acts = []
    for one in known:
        there = one in mine and (one.restore_point_id in usable or one.restore_point_id in asked.doubtful)
        if (act := _act(one, there, kept, wanted, ended, now)) is not None:
            acts.append((act, one))
    if any(one.state is StandbyState.REFRESHING for one in known):
        return StandbyPlan(tuple(acts))
    by_point = {one.restore_point_id: one for one in mine}
    for point in wanted:
        before = by_point.get(point)
        if before is None or (before.state is StandbyState.FAILED and not before.waits(now)):
            attempts = before.attempts if before else 0
            return StandbyPlan(tuple(acts), point, attempts)
    return StandbyPlan(tuple(acts))


def _act(
    one: Standby,
    there: bool,
    kept: Collection[str],
    wanted: Collection[str],
    ended: Collection[str],
    now: datetime,
) -> Act | None:
    """``there``: at the right target, of a restore point that is usable."""
    if one.state is StandbyState.REFRESHING:
        return None if there else Act.CANCEL
    if one.state is StandbyState.READY:
        return None if there and one.restore_point_id in kept else Act.REMOVE
    if one.state is StandbyState.FAILED:
        return None if there and one.restore_point_id in wanted else Act.FORGET
    if one.state is StandbyState.CLAIMED:
        return Act.REMOVE if one.recovery_id in ended else None
    return Act.REMOVE if one.state is StandbyState.LEFT and not one.waits(now) else None
