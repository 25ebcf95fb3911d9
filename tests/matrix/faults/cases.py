"""What is tried: every distinct call of every phase, and the ways in which it fails.

A case has a name that finds it again: ``recover:volume:POST:/backups/{id}/restore:lost``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.matrix.faults.phases import PHASES

FAULTS = {
    "500": "error before the effect, by the service",
    "503": "error before the effect, by a proxy that found no server",
    "drop": "connection reset before the effect",
    "lost": "effect, then the connection is cut",
    "504": "effect, then a proxy that gave up waiting",
    "late": "a proxy gave up waiting, and the effect comes after that",
    "old": "a read shows the state before the last change",
    "old+": "the same, of the last time the call is made",
    "few": "a list lost its second half and does not say so",
    "few+": "the same, of the last time it shows anything",
    "401": "the token is not valid any more",
    "slow": "effect, then an answer later than the time limit",
    "cut": "nobody reaches the site from this call on; reconnected later",
}
_CHANGES_ONLY = frozenset({"lost", "late"})
_OLD, _FEW = ("old", "old+"), ("few", "few+")
_READS_BY_POST = "#os-getConsoleOutput"


@dataclass(frozen=True)
class Call:
    """One kind of request, ids left out of its path; actions told apart behind it (``/action#quiesce``)."""

    phase: str
    service: str
    method: str
    path: str

    @property
    def changes(self) -> bool:
        return self.method != "GET" and self.service != "identity" and not self.path.endswith(_READS_BY_POST)


@dataclass(frozen=True)
class Heard:
    """A request of the run without faults.  ``rows``: how many a list showed, None when it was no list."""

    call: Call
    rows: int | None = None


@dataclass(frozen=True)
class Case:
    """``nth``: which of the call's requests fails; ``keep``: how many rows are left of a partial list."""

    call: Call
    fault: str
    nth: int = 1
    keep: int = 0

    @property
    def name(self) -> str:
        call = self.call
        return f"{call.phase}:{call.service}:{call.method}:{call.path}:{self.fault}"


def cases_of(heard: Sequence[Heard]) -> list[Case]:
    """All cases of the runs without faults, phase by phase, calls in the order they were first made."""
    found: list[Case] = []
    for phase in PHASES:
        log = [one for one in heard if one.call.phase == phase]
        for call in dict.fromkeys(one.call for one in log):
            found += (case for fault in FAULTS if (case := _case(call, fault, log)) is not None)
    return found


def _case(call: Call, fault: str, log: Sequence[Heard]) -> Case | None:
    """None when this cannot happen to the call, or would mean nothing."""
    read = call.method == "GET"
    discovery = call.path == "/" or call.service == "identity"  # these need no token and list nothing of ours
    if (read and fault in _CHANGES_ONLY) or (not read and fault in (*_OLD, *_FEW)):
        return None
    if discovery and fault in (*_OLD, *_FEW, "401"):
        return None
    if fault not in (*_OLD, *_FEW):
        return Case(call, fault)
    rows = [one.rows or 0 for one in log if one.call == call]
    telling = _after_a_change(call, log) if fault in _OLD else [n for n, count in enumerate(rows, 1) if count]
    if not telling or (fault.endswith("+") and len(telling) == 1):
        return None
    nth = telling[-1 if fault.endswith("+") else 0]
    return Case(call, fault, nth, rows[nth - 1] // 2)


def _after_a_change(call: Call, log: Sequence[Heard]) -> list[int]:
    """Which of the call's requests those are: before any change an old answer is as good as a new one."""
    found: list[int] = []
    changed, nth = False, 0
    for one in log:
        changed = changed or one.call.changes
        nth += one.call == call
        if changed and one.call == call:
            found.append(nth)
    return found


def chosen(
    cases: Sequence[Case], only: Iterable[str] = (), sample: int | None = None, seed: int = 0
) -> list[Case]:
    """Those named (``*`` for any part of a name), and of these a sample; ValueError for what names nothing."""
    wanted = list(only)
    unknown = [name for name in wanted if not any(_named(case, name) for case in cases)]
    if unknown:
        raise ValueError(f"there is no case {', '.join(unknown)}")
    found = [case for case in cases if not wanted or any(_named(case, name) for name in wanted)]
    if sample is not None and sample < len(found):
        kept = set(random.Random(seed).sample(found, sample))
        found = [case for case in found if case in kept]
    return found


def _named(case: Case, name: str) -> bool:
    return fnmatchcase(case.name, name)
