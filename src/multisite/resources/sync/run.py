"""One pass of one sync: look at every site, decide, write, look again while something was written.

A row is kept of each thing *before* it is made, so that one that dies in between knows next time what to look for.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from multisite.clouds.ask import ask_all, do_all
from multisite.clouds.connect import CloudSite, Sites
from multisite.domain.errors import MultisiteError, Unavailable
from multisite.domain.resource_sync import (
    OFTEN,
    TOLD,
    WRITES,
    Act,
    Change,
    Record,
    ResourceSync,
    Seen,
    SyncItem,
    SyncResult,
)
from multisite.jobs.model import StepFailed
from multisite.resources.images.pace import Pace
from multisite.resources.sync.decide import Rules, decide, doubted
from multisite.resources.sync.document.read import Desired, desired
from multisite.resources.sync.kinds import KINDS, SyncKind
from multisite.store.resource_syncs import SyncItemRepository

ROUNDS = 4
"""A pass writes and looks again so often: groups first, then the rules that name them; the rest waits for the next."""
MOST_TOLD = 200


@dataclass
class Pass:
    """``plan``: what there was to do when it began; ``done``, ``failed`` (with why): what was tried of it.

    ``open``: what was left to be told in the end.  ``source``: by kind what its source has.  ``desired``: what its
    document says; None: a site is the source.
    """

    sync: ResourceSync
    desired: Desired | None = None
    plan: list[Change] = field(default_factory=list)
    done: list[Change] = field(default_factory=list)
    failed: list[tuple[Change, str]] = field(default_factory=list)
    open: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: dict[str, Mapping[str, Record]] = field(default_factory=dict)


class SyncRunner:
    """Of any sync.  ``told`` gets (done, all) of the writes of a pass."""

    def __init__(
        self, clouds: Sites, items: SyncItemRepository, now: Callable[[], datetime], pace: Pace | None = None
    ) -> None:
        self._clouds, self._items, self._now, self._pace = clouds, items, now, pace or Pace(0)

    def plan(self, sync: ResourceSync) -> Pass:
        """What a pass would do now; changes nothing."""
        found = _begun(sync)
        for kind in sync.kinds:
            found.plan += self._decided(found, kind, delete_many=False)[0]
        return found

    def run(
        self,
        sync: ResourceSync,
        *,
        delete_many: bool = False,
        told: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Pass:
        """One pass; what a site refuses is in ``failed``.  Raises what the fence and the database raise."""
        found = _begun(sync)
        for kind in sync.kinds:
            tried: set[tuple[str, str, Act]] = set()
            changes: list[Change] = []
            for number in range(ROUNDS):
                changes, ids = self._decided(found, kind, delete_many=delete_many)
                found.plan += changes if number == 0 else []
                left = [c for c in changes if (c.target_site, c.source_id, c.act) not in tried]
                self._write(found, KINDS[kind], left, ids, told)
                tried |= {(c.target_site, c.source_id, c.act) for c in left if c.act in WRITES}
                if not any(change.act in WRITES or change.act is Act.ADOPT for change in left):
                    break
            found.open += [change for change in changes if change.act in TOLD]
            found.notes += self._told(found, kind)
        return found

    def result(self, found: Pass) -> SyncResult:
        """In words, for its row."""
        wrong = [_line(change) for change in found.open]
        wrong += [f"{_line(change)}: {why}" for change, why in found.failed]
        counts = Counter(str(change.act) for change in found.done if change.act in WRITES)
        unknown = any(c.act is Act.UNKNOWN for c in found.open)
        differs = bool(found.failed) or any(c.act is Act.CONFLICT for c in found.open)
        in_sync = False if differs else None if unknown else True
        told = [*wrong, *found.notes]
        if len(told) > MOST_TOLD:
            told = [*told[:MOST_TOLD], f"and {len(told) - MOST_TOLD} more"]
        return SyncResult(self._now(), in_sync, dict(counts), tuple(told))

    def _decided(
        self, found: Pass, kind: str, *, delete_many: bool
    ) -> tuple[list[Change], Mapping[str, Mapping[str, str]]]:
        """The changes of a kind at all targets, and by target the ids there of what the source has."""
        sync, row = found.sync, KINDS[kind]
        sites = [name for name in (sync.source_site, *sync.target_sites) if name is not None]
        asked = ask_all(sites, lambda name: row.read(self._open(sync, name)), errors=(MultisiteError,))
        seen = {name: Seen(asked.known.get(name), asked.reasons.get(name, "")) for name in sites}
        whole = _source(found, kind, seen)
        found.source[kind] = whole.records or {}
        changes: list[Change] = []
        ids: dict[str, Mapping[str, str]] = {}
        for site in sync.target_sites:
            target = seen[site]
            items, dropped = _chosen(self._items.of(sync.id, kind, site), whole, sync.only_tag)
            changes += dropped
            source = _tagged(whole, sync.only_tag)
            theirs = _counterparts(source, target, items)
            gone_source, gone_target = doubted(source, target, items)
            source = replace(source, gone=self._asked(sync, row, sync.source_site, gone_source))
            target = replace(target, gone=self._asked(sync, row, site, gone_target))
            if target.records is not None:
                same = {id: row.translated(r, theirs) for id, r in target.records.items()}
                target = replace(target, records=same)
            rules = Rules(kind, row.fixed, row.first, row.given, sync.on_conflict, sync.deletes, delete_many)
            ids[site] = {ours: there for there, ours in theirs.items()}
            decided = decide(rules, site, source, target, items, self._now())
            changes += [_resolvable(row, change, ids[site]) for change in decided]
        found.notes = list(dict.fromkeys([*found.notes, *_notes(kind, whole.records or {})]))
        return changes, ids

    def _told(self, found: Pass, kind: str) -> list[str]:
        """What the source's lists do not say; that it could not be asked for, too."""
        row, sync = KINDS[kind], found.sync
        if row.told is None or sync.source_site is None:
            return []
        try:
            records = found.source[kind]
            told = row.told(self._open(sync, sync.source_site), records)
            return [f"{kind} {records[id].name}: {note}" for id, note in told.items()]
        except MultisiteError as error:
            return [f"{kind}: {error}"]

    def _asked(self, sync: ResourceSync, row: SyncKind, name: str | None, ids: set[str]) -> frozenset[str]:
        """Those of which the site says that there is no such thing; a document (None) has said all there is."""
        if not ids or name is None:
            return frozenset(ids)
        site = self._open(sync, name)
        gone = set()
        for id in sorted(ids):
            try:
                if not row.is_there(site, id):
                    gone.add(id)
            except MultisiteError:
                continue  # it stays in doubt
        return frozenset(gone)

    def _write(
        self,
        found: Pass,
        row: SyncKind,
        changes: Sequence[Change],
        ids: Mapping[str, Mapping[str, str]],
        told: Callable[[int, int], None],
    ) -> None:
        """Sites at the same time, the changes of one in their order: what is deleted goes last."""
        writes = sum(change.act in WRITES for change in changes)

        def at(site: str) -> None:
            mine = [change for change in changes if change.target_site == site]
            for change in sorted(mine, key=lambda change: change.act is Act.DELETE):
                self._one(found, row, change, ids[site])
                told(len(found.done) + len(found.failed), writes)

        for error in do_all({c.target_site for c in changes}, at, errors=(MultisiteError,)).values():
            raise error

    def _one(self, found: Pass, row: SyncKind, change: Change, ids: Mapping[str, str]) -> None:
        if change.act in TOLD:
            return
        try:
            self._carry_out(found.sync, row, change, ids)
        except MultisiteError as error:
            found.failed.append((change, str(error)))
        else:
            found.done.append(change)

    def _carry_out(self, sync: ResourceSync, row: SyncKind, change: Change, ids: Mapping[str, str]) -> None:
        item = self._items.find(sync.id, change.kind, change.target_site, change.source_id)
        if change.act is Act.FORGET:
            self._items.delete(_known(item).id)
        elif change.act in (Act.ADOPT, Act.ACCEPT):
            known = item or self._items.add(_item(sync, change))
            bases = known.bases if change.bases is None else change.bases
            target_id = None if change.left else change.target_id
            self._items.update(
                replace(known, target_id=target_id, bases=bases, left=change.left, name=change.name)
            )
        elif change.act is Act.DELETE:
            row.delete(self._open(sync, change.target_site), str(change.target_id))
            self._items.delete(_known(item).id)
        else:
            self._make_or_change(sync, row, change, item, ids)

    def _make_or_change(
        self, sync: ResourceSync, row: SyncKind, change: Change, item: SyncItem | None, ids: Mapping[str, str]
    ) -> None:
        site, fields = self._open(sync, change.target_site), row.written(ids, change.fields)
        stamp = self._now().isoformat()
        if change.act is Act.CREATE:
            known = item or self._items.add(replace(_item(sync, change), made=True))
            again = item is not None and item.target_id is not None
            known = replace(
                known, target_id=None, bases={}, made=True, changes=_stamped(known, stamp, add=again)
            )
            self._items.update(known)
            target_id = self._made(sync, row, change, fields, known.id)
            bases = {name: (value, value) for name, value in change.fields.items()}
            self._items.update(replace(known, target_id=target_id, bases=bases))
            return
        known = _known(item)
        row.update(site, str(change.target_id), fields)
        back = any(n in known.bases and known.bases[n][1] != change.before.get(n) for n in change.fields)
        self._items.update(
            replace(
                known, bases=change.bases or known.bases, name=change.name, changes=_stamped(known, stamp, add=back)
            )
        )  # fmt: skip

    def _made(
        self, sync: ResourceSync, row: SyncKind, change: Change, fields: Mapping[str, Any], item_id: str
    ) -> str:
        site = self._open(sync, change.target_site)
        if row.copied is None:
            return row.create(site, fields)
        if sync.source_site is None:
            raise AssertionError(f"{change.kind} has more than a document says")
        source = self._open(sync, sync.source_site)
        record = Record(change.source_id, change.name, change.fields)
        try:
            return row.copied(source, site, record, fields, f"multisite:{sync.id}:{item_id}", self._pace)
        except StepFailed as error:
            raise Unavailable(str(error)) from error

    def _open(self, sync: ResourceSync, name: str) -> CloudSite:
        return self._clouds.open(name, for_project=sync.project_id)


def _begun(sync: ResourceSync) -> Pass:
    return Pass(sync, None if sync.document is None else desired(sync.document))


def _source(found: Pass, kind: str, seen: Mapping[str, Seen]) -> Seen:
    """What is wanted of a kind: what the document says, or what the source site has but for Multisite's own."""
    if found.desired is not None:
        return Seen(found.desired[kind])
    return _own(seen[str(found.sync.source_site)])


def _counterparts(source: Seen, target: Seen, items: Sequence[SyncItem]) -> dict[str, str]:
    """By id there the id at the source: of what is paired, and of what would be, by its name."""
    paired = {item.target_id: item.source_id for item in items if item.target_id}
    known = set(paired.values())
    ours = Counter(r.name for r in (source.records or {}).values())
    theirs = Counter(r.name for r in (target.records or {}).values())
    by_name = {
        r.name: r.id for r in (source.records or {}).values() if r.id not in known and ours[r.name] == 1
    }
    for record in (target.records or {}).values():
        if record.id not in paired and theirs[record.name] == 1 and record.name in by_name:
            paired[record.id] = by_name[record.name]
    return paired


def _tagged(source: Seen, tag: str | None) -> Seen:
    """Only those with the tag, of what has tags at all."""
    if source.records is None or tag is None:
        return source
    return replace(
        source, records={id: r for id, r in source.records.items() if r.tags is None or tag in r.tags}
    )


def _chosen(items: Sequence[SyncItem], source: Seen, tag: str | None) -> tuple[list[SyncItem], list[Change]]:
    """The items that are still chosen, and a change for each whose tag was taken off: it stays, and is left alone."""
    kept, dropped = [], []
    for item in items:
        record = (source.records or {}).get(item.source_id)
        if tag is None or record is None or record.tags is None or tag in record.tags:
            kept.append(item)
        else:
            why = f"it has no tag {tag} any more: it stays, and is left alone"
            dropped.append(
                Change(
                    Act.FORGET, item.kind, item.target_site, item.source_id, item.name, why, item.target_id
                )
            )
    return kept, dropped


def _own(source: Seen) -> Seen:
    """Without what Multisite made there for something else."""
    if source.records is None:
        return source
    return replace(source, records={id: record for id, record in source.records.items() if not record.ours})


def _resolvable(row: SyncKind, change: Change, ids: Mapping[str, str]) -> Change:
    """A conflict in place of a change that names what has no counterpart there."""
    lacking = row.names(change.fields) - set(ids) if change.act in WRITES else set()
    if not lacking:
        return change
    why = f"it names {', '.join(sorted(lacking))} of the source, which has no counterpart there yet"
    return replace(change, act=Act.CONFLICT, why=why)


def _notes(kind: str, records: Mapping[str, Record]) -> list[str]:
    return [f"{kind} {record.name}: {note}" for record in records.values() for note in record.notes]


def _line(change: Change) -> str:
    who = f"{change.kind} {change.name}".strip()
    return f"{change.target_site}: {who}: {change.why}"


def _item(sync: ResourceSync, change: Change) -> SyncItem:
    return SyncItem(
        str(uuid.uuid4()), sync.id, sync.project_id, change.kind, change.source_id, change.name, change.target_site
    )  # fmt: skip


def _known(item: SyncItem | None) -> SyncItem:
    if item is None:
        raise AssertionError("only what is known is changed")
    return item


def _stamped(item: SyncItem, stamp: str, *, add: bool) -> tuple[str, ...]:
    return (*item.changes, stamp)[-OFTEN:] if add else item.changes
