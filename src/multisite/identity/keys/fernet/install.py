"""Which files to write and remove at a site so that it holds the desired repository, in an order that never hurts.

Numbered keys first, lowest first; then the staged key; removals last.  So the set is usable after every single
operation: a key is only taken away when all that replace it are there, and a promoted key is there twice
(as its number and still as 0) before 0 is overwritten.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from multisite.identity.keys.repository import STAGED, Repository


@dataclass(frozen=True)
class Put:
    number: int
    fingerprint: str


@dataclass(frozen=True)
class Remove:
    number: int


Operation = Put | Remove


def plan(desired: Repository, seen: Repository, unfit: Collection[int] = ()) -> list[Operation]:
    """Operations that lead from ``seen`` to ``desired``; ``unfit``: numbers whose owner or mode is wrong."""
    wanted = sorted(desired.keys.items(), key=lambda item: (item[0] == STAGED, item[0]))
    puts = [Put(n, f) for n, f in wanted if seen.keys.get(n) != f or n in unfit]
    return [*puts, *(Remove(n) for n in sorted(seen.keys) if n not in desired.keys)]


def foreign(seen: Repository, known: Collection[str]) -> frozenset[str]:
    """Fingerprints at a site that this service never made nor adopted: somebody else writes there.

    They are not overwritten: it may be a rotation by hand, whose tokens are alive, or a second key service.
    """
    return seen.fingerprints - frozenset(known)
