"""What has to be done so that a target has what the source has, of one kind; pure.

Three ways: what the source has, what the target has, and what both had when that was last dealt with.  A field that
only the source changed is written; one that the target changed is a conflict, which a policy decides.  A field that the
source does not say (a document may leave some out) is left alone: what the target has of it is kept from the first time
that it was seen, so that one who changed it since is told when the source says it.  Nothing is
concluded from a site that did not answer, and nothing is gone before its site, asked for it by id, has said so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from multisite.domain.resource_sync import (
    OFTEN,
    WITHIN_SECONDS,
    Act,
    Change,
    OnConflict,
    Record,
    Seen,
    SyncItem,
)

MANY, SHARE = 5, 0.5
"""More than so many, and more than this share of all, gone from the source at once are not deleted unasked."""


@dataclass(frozen=True)
class Rules:
    """``fixed``: fields the service cannot change.  ``first``: those a new one is made with; the others come after.

    ``given``: names of resources that every site has by itself, never made or deleted.
    """

    kind: str
    fixed: frozenset[str] = frozenset()
    first: tuple[str, ...] | None = None
    given: frozenset[str] = frozenset()
    on_conflict: OnConflict = OnConflict.STOP
    delete: bool = True
    delete_many: bool = False


def decide(
    rules: Rules, target_site: str, source: Seen, target: Seen, items: Sequence[SyncItem], now: datetime
) -> list[Change]:
    """``items``: those of this kind and target; ``target``: with references in the source's words (``translate``)."""
    if source.records is None or target.records is None:
        side, why = ("source", source.why) if source.records is None else (target_site, target.why)
        return [Change(Act.UNKNOWN, rules.kind, target_site, "", "", f"{side} did not answer: {why}")]
    by_source = {item.source_id: item for item in items}
    new = [record for record in source.records.values() if record.id not in by_source]
    alike = _alike(new, target.records, items)
    taken = {*(item.target_id for item in items), *(there.id for there in alike.values())}
    free = [there for there in target.records.values() if there.id not in taken]
    found = [
        _paired(rules, target_site, record, by_source[record.id], target, now)
        for record in source.records.values()
        if record.id in by_source
    ]
    found += [_new(rules, target_site, record, alike.get(record.id), free) for record in new]
    gone = [item for item in items if item.source_id not in source.records]
    found += _gone(rules, target_site, source, target, gone, len(items))
    return [change for change in found if change is not None]


def doubted(source: Seen, target: Seen, items: Sequence[SyncItem]) -> tuple[set[str], set[str]]:
    """Ids that were known and are in no list now, of the source and of the target: to be asked for singly."""
    of_source = {
        i.source_id for i in items if source.records is not None and i.source_id not in source.records
    }
    known = (i.target_id for i in items if target.records is not None)
    return of_source, {id for id in known if id is not None and id not in (target.records or {})}


def _alike(
    new: Sequence[Record], there: Mapping[str, Record], items: Sequence[SyncItem]
) -> dict[str, Record]:
    """By id at the source one of the target that has its name and all its fields, each only once."""
    left = [one for one in there.values() if one.id not in {item.target_id for item in items}]
    found: dict[str, Record] = {}
    for record in new:
        for one in left:
            if one.name == record.name and not _different(record.fields, one.fields):
                found[record.id] = one
                left.remove(one)
                break
    return found


def _new(rules: Rules, site: str, record: Record, alike: Record | None, free: Sequence[Record]) -> Change:
    """One without a counterpart: one that is alike is adopted, one of its name perhaps, or it is made.

    ``free``: what is there and is nobody's counterpart.
    """
    change = Change(Act.CREATE, rules.kind, site, record.id, record.name, "the target has none")
    if alike is not None:
        return _adopted(rules, change, record, alike)
    same = [one for one in free if one.name == record.name]
    if len(same) > 1:
        ids = ", ".join(sorted(one.id for one in same))
        why = f"{len(same)} of this name are there: delete or rename some: {ids}"
        return replace(change, act=Act.CONFLICT, why=why)
    if same:
        return _adopted(rules, change, record, same[0])
    if record.name in rules.given:
        return replace(
            change, act=Act.CONFLICT, why="every site has it by itself, and this one does not list it"
        )
    return replace(change, fields=_first(rules, record))


def _adopted(rules: Rules, change: Change, record: Record, there: Record) -> Change:
    differ = _different(record.fields, there.fields)
    adopted = replace(change, act=Act.ADOPT, target_id=there.id, bases=_bases(record.fields, there.fields))
    if not differ:
        return replace(adopted, why="one of this name is there, and is the same")
    if rules.on_conflict is OnConflict.SOURCE:
        why = f"one of this name is there, and differs in {', '.join(differ)}: it is brought in line"
        return replace(adopted, why=why, bases=_agreed(record.fields, there.fields))
    if rules.on_conflict is OnConflict.TARGET:
        return replace(adopted, why=f"one of this name is there, and stays as it is in {', '.join(differ)}")
    why = f"one of this name is there, and differs in {', '.join(differ)}: rename either, or make them alike"
    return replace(
        adopted, act=Act.CONFLICT, bases=None, why=why, before={n: there.fields.get(n) for n in differ}
    )


def _paired(
    rules: Rules, site: str, record: Record, item: SyncItem, target: Seen, now: datetime
) -> Change | None:
    there = (target.records or {}).get(item.target_id or "")
    change = Change(Act.UPDATE, rules.kind, site, record.id, record.name, "", item.target_id)
    if there is None:
        return _lost(rules, change, record, item, target, now)
    write, conflicts = _three_ways(record.fields, there.fields, item.bases)
    if rules.on_conflict is OnConflict.SOURCE and conflicts:
        if _struggle(item, now):
            return replace(change, act=Act.CONFLICT, why=_STRUGGLE)
        write, conflicts = sorted({*write, *conflicts}), []
    if conflicts and rules.on_conflict is OnConflict.STOP:
        why = f"changed at the target: {', '.join(conflicts)}: set it back there, or let the source or target win"
        before = {name: there.fields.get(name) for name in conflicts}
        return replace(change, act=Act.CONFLICT, why=why, before=before)
    if fixed := sorted(set(write) & rules.fixed):
        why = f"{', '.join(fixed)} cannot be changed: delete it there, and it is made anew"
        return replace(
            change, act=Act.CONFLICT, why=why, before={name: there.fields.get(name) for name in fixed}
        )
    after = {**there.fields, **{name: record.fields.get(name) for name in write}}
    bases = _bases(record.fields, after, item.bases)
    if write:
        before = {name: there.fields.get(name) for name in write}
        fields = {name: record.fields.get(name) for name in write}
        return replace(change, why="differs", fields=fields, before=before, bases=bases)
    if conflicts:
        return replace(
            change, act=Act.ACCEPT, why=f"the target's word counts: {', '.join(conflicts)}", bases=bases
        )
    return None if dict(item.bases) == bases else replace(change, act=Act.ACCEPT, why="in sync", bases=bases)


_STRUGGLE = (
    f"changed back {OFTEN} times within an hour: somebody else changes it: stop them, or let the target win"
)


def _lost(
    rules: Rules, change: Change, record: Record, item: SyncItem, target: Seen, now: datetime
) -> Change | None:
    """Its counterpart is not listed."""
    if item.left:
        return None
    make = replace(change, act=Act.CREATE, target_id=None, fields=_first(rules, record))
    if item.target_id is None:  # it was being made
        same = [r for r in (target.records or {}).values() if r.name == record.name]
        if len(same) == 1 and not _different(make.fields, {n: same[0].fields.get(n) for n in make.fields}):
            why = "it was made, and its answer was lost"
            return replace(
                change, act=Act.ADOPT, target_id=same[0].id, why=why, bases=_agreed(make.fields, make.fields)
            )
        return replace(make, why="it was not made yet") if not same else replace(
            change, act=Act.CONFLICT, why="one of this name has come there meanwhile: rename either"
        )  # fmt: skip
    if item.target_id not in target.gone:
        return replace(change, act=Act.UNKNOWN, why="it is in no list there, and could not be asked for")
    if rules.on_conflict is OnConflict.TARGET:
        return replace(change, act=Act.ACCEPT, why="deleted at the target, which counts", left=True)
    if rules.on_conflict is OnConflict.STOP:
        return replace(
            change, act=Act.CONFLICT, why="deleted at the target: let the source win, or the target"
        )
    if _struggle(item, now):
        return replace(change, act=Act.CONFLICT, why=_STRUGGLE)
    return replace(make, why="deleted at the target")


def _gone(
    rules: Rules, site: str, source: Seen, target: Seen, gone: Sequence[SyncItem], of: int
) -> Iterator[Change]:
    """Known, and the source does not list them any more."""
    sure = [item for item in gone if item.source_id in source.gone]
    many = len(sure) > MANY and len(sure) > SHARE * of and not rules.delete_many
    for item in gone:
        change = Change(Act.DELETE, rules.kind, site, item.source_id, item.name, "", item.target_id)
        there = (target.records or {}).get(item.target_id or "")
        if item not in sure:
            yield replace(
                change, act=Act.UNKNOWN, why="it is in no list of the source, and could not be asked for"
            )
        elif there is None:
            yield replace(change, act=Act.FORGET, why="gone at the source and here")
        elif not item.made or not rules.delete or item.name in rules.given:
            yield replace(
                change, act=Act.FORGET, why="gone at the source; Multisite did not make this one, it stays"
            )
        elif many:
            why = f"{len(sure)} of {of} are gone at the source at once: apply with --delete-many if that is meant"
            yield replace(change, act=Act.CONFLICT, why=why)
        elif rules.on_conflict is not OnConflict.SOURCE and (changed := _changed(there, item)):
            yield replace(
                change, act=Act.CONFLICT, why=f"gone at the source, changed here: {', '.join(changed)}"
            )
        else:
            yield replace(change, why="gone at the source")


def _three_ways(
    source: Mapping[str, Any], target: Mapping[str, Any], bases: Mapping[str, tuple[Any, Any]]
) -> tuple[list[str], list[str]]:
    """The fields to write, and those that the target has changed."""
    write, conflicts = [], []
    for name in _different(source, target):
        ours, theirs = bases.get(name, (None, None))
        if name not in bases:
            write.append(name)  # it was never written: the making of it was cut off
        elif target.get(name) != theirs:
            conflicts.append(name)
        elif source.get(name) != ours:
            write.append(name)
    return write, conflicts


def _changed(there: Record, item: SyncItem) -> list[str]:
    return sorted(name for name, (_, theirs) in item.bases.items() if there.fields.get(name) != theirs)


def _different(source: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    return sorted(name for name, value in source.items() if target.get(name) != value)


def _bases(
    source: Mapping[str, Any], target: Mapping[str, Any], known: Mapping[str, tuple[Any, Any]] | None = None
) -> dict[str, tuple[Any, Any]]:
    """``known`` stay of fields that the source does not say."""
    unsaid = {n: (known or {}).get(n, (None, v)) for n, v in target.items() if n not in source}
    return unsaid | {name: (value, target.get(name)) for name, value in source.items()}


def _agreed(source: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Only of what is alike already: the rest has never been written."""
    return {name: (value, value) for name, value in source.items() if target.get(name) == value}


def _first(rules: Rules, record: Record) -> dict[str, Any]:
    names = rules.first if rules.first is not None else tuple(record.fields)
    return {name: record.fields[name] for name in names if name in record.fields}


def _struggle(item: SyncItem, now: datetime) -> bool:
    since = (now - timedelta(seconds=WITHIN_SECONDS)).isoformat()
    return sum(at > since for at in item.changes) >= OFTEN
