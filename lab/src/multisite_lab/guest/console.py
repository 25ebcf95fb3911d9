"""What a guest tells on its serial console, as values.

The lines are all that a guest and its judge share: they can be read through Nova's console output, and a
restored guest judges its own two disks before it goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """One record of the workload.  The checksum stands for everything the guest wrote up to it."""

    number: int
    sum: int

    def __str__(self) -> str:
        return f"record {self.number} ({self.sum})"


@dataclass(frozen=True)
class Verdict:
    """The guest's own judgment of its two disks, made at boot before it wrote anything."""

    root: int
    data: int
    bad: int
    consistent: bool
    sum: int

    @property
    def record(self) -> Record:
        """The last record on the root disk."""
        return Record(self.root, self.sum)


@dataclass(frozen=True)
class Boot:
    """Everything the newest boot of a guest has told so far."""

    verdict: Verdict | None = None
    journals: tuple[str, ...] = ()
    ready: float | None = None
    working: bool | None = None
    """False when the workload refused to go on upon disks that do not fit together."""
    records: tuple[Record, ...] = ()
    freezes: tuple[Record, ...] = ()
    thaws: tuple[Record, ...] = ()
    addresses: dict[str, str] = field(default_factory=dict)
    server_id: str | None = None

    @property
    def journal(self) -> str:
        """``clean`` if no file system had to be repaired at boot, else ``recovered``; empty while unknown."""
        return "recovered" if "recovered" in self.journals else "clean" if self.journals else ""

    @property
    def frozen(self) -> bool:
        """Has it said that it freezes, and not yet that it was thawed?"""
        return len(self.freezes) > len(self.thaws)


_VERDICT = re.compile(
    r"^GUEST-VERIFY root=(\d+) data=(\d+) rbad=(\d+) dbad=(\d+) diff=-?\d+ consistent=(yes|no) sum=(\d+)\b",
    re.M,
)
_RECORD = re.compile(r"^GUEST-(RECORD|FREEZE|THAW) seq=(\d+) sum=(\d+)\s*$", re.M)
_JOURNAL = re.compile(r"^GUEST-(?:ROOT|DATA) \S+ journal=(\w+)", re.M)
_READY = re.compile(r"^GUEST-READY up=([\d.]+)", re.M)
_WORKLOAD = re.compile(r"^GUEST-WORKLOAD (pid|refused)", re.M)
_ADDRESS = re.compile(r"^GUEST-NET (\S+) ([\d.]+)/", re.M)
_CONFIG = re.compile(r"^GUEST-CONFIG uuid=(\S+)", re.M)


FREEZE_MARK = r"GUEST-FREEZE seq=\d+ sum=\d+"
"""What to look for on a console to know the record a frozen guest stood on."""


def marked(text: str) -> Record | None:
    """The record in a line found by ``FREEZE_MARK``."""
    found = parse(text).freezes
    return found[-1] if found else None


def newest(text: str) -> str:
    """The part of a console that belongs to the newest boot (a reboot from inside goes on in the same)."""
    return text[max(text.rfind("GUEST-INIT"), 0) :]


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(list(pattern.finditer(text))[-1:]), None)


def parse(text: str) -> Boot:
    """Read a console; a line that is cut off or garbled says nothing."""
    text = newest(text)
    told: dict[str, list[Record]] = {"RECORD": [], "FREEZE": [], "THAW": []}
    for match in _RECORD.finditer(text):
        told[match[1]].append(Record(int(match[2]), int(match[3])))
    verdict, ready, workload = (_last(pattern, text) for pattern in (_VERDICT, _READY, _WORKLOAD))
    config = _last(_CONFIG, text)
    return Boot(
        verdict=_verdict(verdict) if verdict else None,
        journals=tuple(_JOURNAL.findall(text)),
        ready=float(ready[1]) if ready else None,
        working=workload[1] == "pid" if workload else None,
        records=tuple(told["RECORD"]),
        freezes=tuple(told["FREEZE"]),
        thaws=tuple(told["THAW"]),
        addresses=dict(_ADDRESS.findall(text)),
        server_id=config[1] if config else None,
    )


def _verdict(match: re.Match[str]) -> Verdict:
    root, data, root_bad, data_bad = (int(match[group]) for group in range(1, 5))
    return Verdict(root, data, root_bad + data_bad, match[5] == "yes", int(match[6]))
