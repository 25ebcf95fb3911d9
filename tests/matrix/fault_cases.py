"""What is tried: every distinct call of every phase, and the ways in which it fails.

A case has a name that finds it again: ``recover:volume:POST:/backups/{id}/restore:lost``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PHASES = ("full", "incremental", "recover", "undo")
"""Protecting for the first time and again, recovering in the other site, undoing that."""

FAULTS = {
    "500": "error before the effect, by the service",
    "503": "error before the effect, by a proxy that found no server",
    "reset": "connection reset before the effect",
    "lost": "effect, then the connection is cut",
    "504": "effect, then a proxy that gave up waiting",
    "late": "a proxy gave up waiting, and the effect comes after that",
    "stale": "a read shows the state before the last change",
    "part": "a list lost its second half and does not say so",
    "401": "the token is not valid any more",
    "slow": "effect, then an answer later than the time limit",
    "cut": "nobody reaches the site from this call on; mended later",
}
_CHANGES_ONLY = frozenset({"lost", "late"})
_READS_ONLY = frozenset({"stale", "part"})
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
    if (read and fault in _CHANGES_ONLY) or (not read and fault in _READS_ONLY):
        return None
    if discovery and fault in ("stale", "part", "401"):
        return None
    if fault == "stale":
        nth = _first_after_a_change(call, log)
        return Case(call, fault, nth) if nth else None
    if fault == "part":
        rows = [one.rows or 0 for one in log if one.call == call]
        nth = next((number for number, count in enumerate(rows, start=1) if count), 0)
        return Case(call, fault, nth, rows[nth - 1] // 2) if nth else None
    return Case(call, fault)


def _first_after_a_change(call: Call, log: Sequence[Heard]) -> int:
    """Before any change a stale read is as good as a fresh one; 0 when there is none after."""
    changed, nth = False, 0
    for one in log:
        changed = changed or one.call.changes
        nth += one.call == call
        if changed and one.call == call:
            return nth
    return 0


def chosen(
    cases: Sequence[Case], only: Iterable[str] = (), sample: int | None = None, seed: int = 0
) -> list[Case]:
    """Those named (a name may end in ``*``), and of these a sample; ValueError for a name nothing has."""
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
    return case.name.startswith(name[:-1]) if name.endswith("*") else case.name == name
