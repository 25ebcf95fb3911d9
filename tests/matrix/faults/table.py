"""The matrix as text: calls by faults, grouped by service; and as JSON."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from tests.matrix.faults.cases import FAULTS, Case
from tests.matrix.faults.phases import PHASES
from tests.matrix.faults.run import LETTERS, Result

WIDTH, COLUMN = 53, 5


def table(results: Sequence[Result]) -> list[str]:
    """Lines of at most 120 columns."""
    lines: list[str] = []
    cells = {(r.case.call, r.case.fault): r.letter for r in results}
    for service in sorted({r.case.call.service for r in results}):
        heads = "".join(f"{fault:>{COLUMN}}" for fault in FAULTS)
        lines += ["", f"{service:{WIDTH}}{heads}".rstrip()]
        for phase in PHASES:
            calls = {
                r.case.call for r in results if (r.case.call.service, r.case.call.phase) == (service, phase)
            }
            for call in sorted(calls, key=lambda c: (c.path, c.method)):
                row = "".join(f"{cells.get((call, fault), ''):>{COLUMN}}" for fault in FAULTS)
                label = f"{PHASES[phase].short} {call.method:6} {call.path}"
                lines.append(f"{label[: WIDTH - 1]:{WIDTH}}{row}".rstrip())
    return lines


def legend(results: Iterable[Result]) -> list[str]:
    """What columns and letters mean, and how often each letter came."""
    counts = Counter(result.letter for result in results)
    phases = ", ".join(f"{phase.short} {name}" for name, phase in PHASES.items())
    return [
        "",
        *textwrap.wrap(f"phases: {phases}; an empty cell: this cannot happen to the call", 118),
        *(f"  {fault:6}{words}" for fault, words in FAULTS.items()),
        *(f"  {letter}  {words}: {counts[letter]}" for letter, words in LETTERS.items()),
    ]


def failures(results: Iterable[Result], *, lab: bool = False) -> list[str]:
    """Each failure with what was wrong, and how to try just it."""
    lines: list[str] = []
    for result in results:
        if result.letter == "F":
            lines += ["", f"FAILED {result.case.name}", *(f"    {line}" for line in result.failed)]
            lines += [f"    | {line}" for line in result.story]
            lines.append(f"  again: {again(result.case, lab=lab)}")
    return lines


def again(case: Case, *, lab: bool = False) -> str:
    """A command for a shell."""
    target = "fault-matrix-lab" if lab else "fault-matrix"
    return f"make {target} ARGS={shlex.quote(f'--only {shlex.quote(case.name)}')}"


def last_line(results: Sequence[Result]) -> str:
    return f"FAULT cases {len(results)} failed {sum(r.letter == 'F' for r in results)}"


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """For programs."""
    return {
        "cases": len(results),
        "failed": sum(r.letter == "F" for r in results),
        "letters": LETTERS,
        "faults": FAULTS,
        "results": [asdict(r) | {"name": r.case.name} for r in results],
    }
