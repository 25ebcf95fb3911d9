"""Which restore points of a protection stay, and why: pure, in words, by rules that each may keep one.

A point is kept by any rule; what a kept one builds on, what a recovery needs and the newest usable one stay besides.
Only usable points that the protection made itself are ever let go: superseded, unknown, missing and foreign ones stay
for an operator's word.  Hours, days, ISO weeks, months and years are UTC's; of each its newest point counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from multisite.domain.model import RestorePoint, RestorePointState

BEING_DELETED = "it is being deleted"
"""The ``error`` of a restore point whose deletion was begun: until it ends, its data may be there."""
_HOLDS = (
    RestorePointState.RUNNING,
    RestorePointState.AVAILABLE,
    RestorePointState.SUPERSEDED,
    RestorePointState.UNKNOWN,
)
"""In these a restore point needs what it builds on."""
_UNTOUCHED = {
    RestorePointState.RUNNING: "it is being made",
    RestorePointState.FAILED: "it failed: nothing of it is there",
    RestorePointState.SUPERSEDED: "superseded: another copy is the application; delete it by its id",
    RestorePointState.UNKNOWN: "which copy is the application is unknown",
    RestorePointState.MISSING: "missing in the backup store; look there before you delete it by its id",
}
Count = Annotated[int, Field(ge=1, le=10_000)]
Held = Sequence[RestorePoint]
"""Usable restore points of one protection, newest first."""


@dataclass(frozen=True)
class Retention:
    """What is kept; None: this rule keeps nothing.  Without any rule everything is kept.

    ``last``: so many of the newest; ``days``: all younger than so many days; the others: the newest one of each of the
    last so many hours, days, weeks, months, years that have one.
    """

    last: Count | None = None
    days: Count | None = None
    hourly: Count | None = None
    daily: Count | None = None
    weekly: Count | None = None
    monthly: Count | None = None
    yearly: Count | None = None

    @property
    def rules(self) -> dict[str, int]:
        """Those that were chosen, by name."""
        chosen = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: count for name, count in chosen if count is not None}


@dataclass(frozen=True)
class RetentionVerdict:
    """Of one restore point: whether it stays, and why, in words; ``ours``: it is this protection's to let go.

    ``size_gib``: of its volumes, not of what it takes in the backup store, which nobody tells.
    """

    restore_point_id: str
    consistent_at: datetime | None
    state: RestorePointState
    incremental: bool
    size_gib: int | None
    ours: bool
    keep: bool
    reasons: tuple[str, ...]


def _last(points: Held, count: int, _now: datetime) -> Iterator[tuple[str, str]]:
    for number, point in enumerate(points[:count], start=1):
        yield point.id, f"number {number} of the last {count}"


def _days(points: Held, count: int, now: datetime) -> Iterator[tuple[str, str]]:
    for point in points:
        if now - data_time(point) < timedelta(days=count):
            yield point.id, f"younger than {count} days"


def _newest_of_each(word: str, period: Callable[[datetime], str]) -> Rule:
    def rule(points: Held, count: int, _now: datetime) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for point in points:
            if (label := period(data_time(point))) not in seen:
                if len(seen) == count:
                    return
                seen.add(label)
                yield point.id, f"newest of {word} {label}"

    return rule


def _week(moment: datetime) -> str:
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02}"


Rule = Callable[[Held, int, datetime], Iterator[tuple[str, str]]]
"""From a protection's usable points, newest first, the rule's number and the present: ids it keeps, and why."""
RULES: Mapping[str, Rule] = {
    "last": _last,
    "days": _days,
    "hourly": _newest_of_each("hour", lambda at: f"{at:%Y-%m-%dT%H}"),
    "daily": _newest_of_each("day", lambda at: f"{at:%Y-%m-%d}"),
    "weekly": _newest_of_each("week", _week),
    "monthly": _newest_of_each("month", lambda at: f"{at:%Y-%m}"),
    "yearly": _newest_of_each("year", lambda at: f"{at:%Y}"),
}
"""One for each field of ``Retention``; a new strategy is a field there and a row here."""


def decide(
    points: Sequence[RestorePoint],
    protection_id: str,
    retention: Retention,
    now: datetime,
    in_use: Mapping[str, str] | None = None,
) -> list[RetentionVerdict]:
    """A verdict on every restore point, newest first.

    ``points``: all of the application, in whatever state and of whichever protection; ``in_use``: ids that something
    needs, and what does, in words.
    """
    ordered = sorted(points, key=lambda point: (data_time(point), point.id), reverse=True)
    kept: dict[str, list[str]] = {}
    usable = [point for point in ordered if _ours(point, protection_id)]
    if usable:
        kept.setdefault(usable[0].id, []).append("the newest usable one")
    for name, count in retention.rules.items():
        for id, why in RULES[name](usable, count, now):
            kept.setdefault(id, []).append(why)
    for point in ordered:
        if (always := _always(point, protection_id, retention, ordered)) is not None:
            kept.setdefault(point.id, []).append(always)
        if in_use and point.id in in_use:
            kept.setdefault(point.id, []).append(in_use[point.id])
    _keep_chains(ordered, kept)
    return [_verdict(point, protection_id, kept.get(point.id)) for point in ordered]


def next_to_delete(
    verdicts: Sequence[RetentionVerdict], points: Sequence[RestorePoint]
) -> RetentionVerdict | None:
    """The one to delete first: nothing that is there builds on it."""
    needed = {point.parent_id for point in points if _holds(point)}
    return next((v for v in verdicts if not v.keep and v.restore_point_id not in needed), None)


def data_time(point: RestorePoint) -> datetime:
    """The moment its data shows; of one that has none yet, its beginning."""
    return point.consistent_at or point.created_at


def _ours(point: RestorePoint, protection_id: str) -> bool:
    return point.state is RestorePointState.AVAILABLE and point.protection_id == protection_id


def _always(
    point: RestorePoint, protection_id: str, retention: Retention, all_of_them: Sequence[RestorePoint]
) -> str | None:
    """Why it stays whatever the rules say; None when they decide."""
    if point.state is not RestorePointState.AVAILABLE:
        return BEING_DELETED if point.error == BEING_DELETED else _UNTOUCHED[point.state]
    if point.protection_id != protection_id:
        return "not made by this protection"
    if not retention.rules:
        return "the policy keeps everything"
    if any(other.state is RestorePointState.UNKNOWN for other in all_of_them):
        return _UNTOUCHED[RestorePointState.UNKNOWN]
    return None


def _holds(point: RestorePoint) -> bool:
    return point.state in _HOLDS or point.error == BEING_DELETED


def _keep_chains(ordered: Sequence[RestorePoint], kept: dict[str, list[str]]) -> None:
    """What a kept one builds on stays, too."""
    by_id = {point.id: point for point in ordered}
    for point in ordered:
        child = point if point.id in kept and _holds(point) else None
        seen: set[str] = set()
        while child is not None and child.id not in seen:
            seen.add(child.id)
            parent = by_id.get(child.parent_id or "")
            if parent is not None:
                why = f"restore point {child.id} builds on it"
                reasons = kept.setdefault(parent.id, [])
                if why in reasons:  # and so has everything below it
                    break
                reasons.append(why)
            child = parent


def _verdict(point: RestorePoint, protection_id: str, why: Sequence[str] | None) -> RetentionVerdict:
    return RetentionVerdict(
        restore_point_id=point.id,
        consistent_at=point.consistent_at,
        state=point.state,
        incremental=point.incremental,
        size_gib=point.size_gib,
        ours=_ours(point, protection_id),
        keep=why is not None,
        reasons=tuple(why or ("no rule of the policy keeps it",)),
    )
