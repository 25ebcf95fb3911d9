"""Resources of a site, or of a document, that sites keep in sync with: what is kept of each, what an operator is told.

Pure data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class OnConflict(StrEnum):
    """What becomes of a field that was changed at a target by somebody else."""

    STOP = "stop"  # it stays, and is told, until somebody decides
    SOURCE = "source"  # it is changed back
    TARGET = "target"  # it stays, until the source changes it


class Act(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ADOPT = "adopt"  # one that is there from now on is the source's counterpart
    FORGET = "forget"  # it stays where it is, and is no longer kept in sync
    ACCEPT = "accept"  # what the target has stays
    CONFLICT = "conflict"  # nothing is done: somebody has to decide
    UNKNOWN = "unknown"  # a site did not answer: nothing is done


WRITES = frozenset({Act.CREATE, Act.UPDATE, Act.DELETE})
TOLD = frozenset({Act.CONFLICT, Act.UNKNOWN})
OFTEN, WITHIN_SECONDS = 5, 3600
"""So many changes of one thing in so short a time are taken for a struggle with somebody else, and stopped."""


@dataclass(frozen=True)
class Record:
    """One resource as a site has it.  ``fields``: plain JSON, with ids of *its* site where it names others.

    ``notes``: what is set on it and not carried.  ``tags``: by which some are chosen; None: it has none.  ``ours``:
    Multisite made it for something else (a recovery, an L3 path); at the source it is not looked at.
    """

    id: str
    name: str
    fields: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    ours: bool = False
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Seen:
    """What a site has of a kind; ``records`` None: it did not answer, ``why``.  ``gone``: ids it was asked for singly,
    which it says are not there.
    """

    records: Mapping[str, Record] | None
    why: str = ""
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SyncItem:
    """A resource of the source and its counterpart at one target.

    ``bases``: by field the values, at the source and at the target, when they were last dealt with.  ``made``:
    Multisite made the counterpart, and may delete it.  ``target_id`` None: it is being made, or was deleted there and
    stays so (``left``).  ``changes``: when it was last changed, ISO 8601.
    """

    id: str
    sync_id: str
    project_id: str
    kind: str
    source_id: str
    name: str
    target_site: str
    target_id: str | None = None
    bases: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    made: bool = False
    left: bool = False
    changes: tuple[str, ...] = ()
    created_at: datetime | None = None


@dataclass(frozen=True)
class Change:
    """``fields``: what is written, in the source's words; ``bases``: what the item has afterwards.

    ``before``: by field the target's value.  ``why``: in words.  ``left``: it is not made there again.
    """

    act: Act
    kind: str
    target_site: str
    source_id: str
    name: str
    why: str
    target_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    bases: Mapping[str, tuple[Any, Any]] | None = None
    left: bool = False


@dataclass(frozen=True)
class SyncResult:
    """What the last pass found.  ``in_sync`` None: a site did not answer, and the others are."""

    at: datetime | None = None
    in_sync: bool | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResourceSync:
    """``interval_seconds`` None: only when asked to.  ``deletes``: what is deleted at the source goes at targets, too.

    ``source_site`` None: the source is a document of desired state, ``document``.
    ``kinds``: names of ``resources/sync/kinds.py``.  ``only_tag``: of kinds that have tags only those with this one.
    """

    id: str
    name: str
    project_id: str
    source_site: str | None
    target_sites: tuple[str, ...]
    kinds: tuple[str, ...]
    on_conflict: OnConflict
    deletes: bool
    interval_seconds: int | None
    paused: bool
    requested_by: str
    only_tag: str | None = None
    result: SyncResult = field(default_factory=SyncResult)
    created_at: datetime | None = None
    document: str | None = None

    @property
    def document_digest(self) -> str | None:
        """SHA-256 of the document, in hexadecimal, as ``sha256sum`` says it of the file."""
        return None if self.document is None else hashlib.sha256(self.document.encode()).hexdigest()
