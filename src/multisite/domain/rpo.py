"""If the site died now: how old would the data be that is recovered, and is that within the target.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from multisite.domain.model import RestorePoint, RestorePointState

BYTES_UNKNOWN = "unknown: the method does not tell how much was written since"
NO_RATE = "unknown: no incremental backup of it has told yet how much is written"
_CHAINED = frozenset({"consistent-backup", "instance-snapshot"})
"""Methods whose restore points build on each other."""
MOST_RATED = 5
"""So many of the newest incremental restore points tell how fast is written."""


class RpoState(StrEnum):
    MET = "met"
    AT_RISK = "at risk"  # met now; something stands against that it will be
    MISSED = "missed"
    UNKNOWN = "unknown"  # which restore points are usable is not known
    NO_TARGET = "no target"


@dataclass(frozen=True)
class RpoNow:
    """``lost_seconds``: of what was written, None: all of it, or unknown (``state``).  ``lost_bytes``: estimated, of
    blocks that were changed in that time; None: unknown.  ``lost_bytes_note``: from what, or why it is unknown.

    ``consistent_at`` is of ``restore_point_id``, the newest usable one of the application.
    """

    state: RpoState
    reason: str
    target_seconds: int | None = None
    lost_seconds: float | None = None
    lost_bytes: int | None = None
    lost_bytes_note: str = BYTES_UNKNOWN
    consistent_at: datetime | None = None
    restore_point_id: str | None = None


@dataclass(frozen=True)
class Prospect:
    """What is known of the next run.  ``next_run_at`` None: none will come by itself, ``why_none`` says why."""

    next_run_at: datetime | None = None
    why_none: str = "no schedule runs it"
    note: str | None = None


@dataclass(frozen=True)
class RpoSample:
    """One moment of a protection's series; ``changed``: the state is another than in the sample before."""

    at: datetime
    state: RpoState
    lost_seconds: float | None
    lost_bytes: int | None
    target_seconds: int | None
    reason: str = ""
    changed: bool = False


def judge(
    points: Sequence[RestorePoint] | None,
    target: int | None,
    prospect: Prospect,
    now: datetime,
    carrying: Sequence[RestorePoint] = (),
) -> RpoNow:
    """``points``: of the application, as store and database say together; None: they cannot be asked.

    ``carrying``: the newest of it that tell how much had changed.
    """
    if points is None:
        return RpoNow(RpoState.UNKNOWN, "the backup store does not answer", target)
    if (unknown := doubtful(points)) is not None:
        return RpoNow(RpoState.UNKNOWN, f"which copy is the application is unknown: {unknown.error}", target)
    newest = newest_usable(points)
    if newest is None:
        nothing = "there is no usable restore point: everything would be lost"
        return RpoNow(RpoState.MISSED if target is not None else RpoState.NO_TARGET, nothing, target)
    lost = max(0.0, (now - _at(newest)).total_seconds())
    state, reason = _against(target, lost, newest, points, prospect)
    bytes, note = changed_in(lost, newest, carrying)
    return RpoNow(state, reason, target, lost, bytes, note, newest.consistent_at, newest.id)


def changed_in(
    seconds: float, newest: RestorePoint, carrying: Sequence[RestorePoint]
) -> tuple[int | None, str]:
    """Bytes of blocks that were changed since the newest restore point, as fast as before it, and how that is known.

    By incremental restore points of the same method and epoch; never more than its volumes have.
    """
    rated = [
        (point.carried_bytes, point.carried_seconds)
        for point in carrying
        if (point.method, point.epoch) == (newest.method, newest.epoch)
        and point.carried_bytes is not None
        and point.carried_seconds
    ][:MOST_RATED]
    if not rated:
        chained = newest.method in _CHAINED
        return None, NO_RATE if chained else BYTES_UNKNOWN
    total, time = sum(bytes for bytes, _ in rated), sum(seconds for _, seconds in rated)
    most = newest.size_gib * 2**30 if newest.size_gib else None
    estimated = round(total / time * seconds)
    note = (
        f"estimated: {len(rated)} incremental restore points carried {total} bytes of changed blocks, written in "
        f"{time:.0f} s"
    )
    return (estimated if most is None else min(estimated, most)), note


def doubtful(points: Iterable[RestorePoint]) -> RestorePoint | None:
    """One of which it is unknown whether it is of the copy that counts: then that is unknown of the application."""
    return next((point for point in points if point.state is RestorePointState.UNKNOWN), None)


def newest_usable(points: Iterable[RestorePoint]) -> RestorePoint | None:
    """By its consistency point."""
    usable = [p for p in points if p.state is RestorePointState.AVAILABLE and p.consistent_at is not None]
    return max(usable, key=lambda point: (_at(point), point.id), default=None)


def thinned(samples: Sequence[RpoSample], most: int) -> list[RpoSample]:
    """At most so many, evenly: of each stretch the worst."""
    if len(samples) <= most:
        return [*samples]
    size = -(-len(samples) // most)
    return [max(samples[n : n + size], key=_badness) for n in range(0, len(samples), size)]


def _badness(sample: RpoSample) -> float:
    return float("inf") if sample.lost_seconds is None else sample.lost_seconds


def _at(point: RestorePoint) -> datetime:
    assert point.consistent_at is not None
    return point.consistent_at


def _against(
    target: int | None, lost: float, newest: RestorePoint, points: Sequence[RestorePoint], prospect: Prospect
) -> tuple[RpoState, str]:
    if target is None:
        return (
            RpoState.NO_TARGET,
            "the policy has no RPO target" if prospect.next_run_at else prospect.why_none,
        )
    risks = "; ".join(_risks(target, newest, points, prospect))
    if lost > target:
        said = f"the newest usable data are {lost:.0f} s old, {lost - target:.0f} s more than the target"
        return RpoState.MISSED, f"{said}: {risks}" if risks else said
    return (RpoState.AT_RISK, risks) if risks else (RpoState.MET, "")


def _risks(
    target: int, newest: RestorePoint, points: Sequence[RestorePoint], prospect: Prospect
) -> Iterator[str]:
    """What stands against that it is met until the next run's end."""
    failed = max(
        (p for p in points if p.state is RestorePointState.FAILED and p.created_at > newest.created_at),
        key=lambda point: point.created_at,
        default=None,
    )
    if failed is not None and failed.error is not None:
        yield f"the run of {failed.created_at:%Y-%m-%d %H:%M} UTC failed: {failed.error}"
    if prospect.next_run_at is None:
        yield prospect.why_none
    elif prospect.next_run_at > _at(newest) + timedelta(seconds=target):
        yield f"the next run, at {prospect.next_run_at:%Y-%m-%d %H:%M} UTC, is later than the target allows"
    if prospect.note is not None:
        yield prospect.note
