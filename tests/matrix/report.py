"""What a person and a program read of a matrix."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.judge import FAILED, WORST, Reference, Verdict
from tests.matrix.points import MOMENT, Point

REPEAT = "make crash-matrix ARGS=\"--only '{}'\""


def progress(done: int, total: int, verdict: Verdict) -> None:
    """One line that is written over on a terminal; elsewhere every 25th, and every failure."""
    line = f"[{done}/{total}] {verdict.point.id}: {verdict.outcome}, {verdict.seconds:.1f} s"
    failed = verdict.outcome == FAILED
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}" + ("\n" if failed else ""))
    elif failed or done % 25 == 0 or done == total:
        sys.stderr.write(line + "\n")
    for words in verdict.failures[:3]:
        sys.stderr.write(f"    {words}\n")
    sys.stderr.flush()


def told(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def family(step: str) -> str:
    """Steps that differ by what they are about share a line of the table: ``backup:mme-1:vda``, ``port-3``."""
    return re.split(r"[:/]|-?\d", step)[0]


def table(verdicts: Sequence[Verdict]) -> list[str]:
    rows: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        rows.setdefault((verdict.point.scenario, family(verdict.point.step)), []).append(verdict)
    width = max((len(step) for _, step in rows), default=4)
    lines = [
        f"{'scenario':<16}  {'step':<{width}}  {'steps':>5}  {'points':>6}  {'seconds':>7}  worst outcome"
    ]
    for (scenario, step), found in rows.items():
        worst = max((v.outcome for v in found), key=WORST.index)
        steps = len({v.point.step for v in found})
        seconds = sum(v.seconds for v in found)
        lines.append(
            f"{scenario:<16}  {step:<{width}}  {steps:>5}  {len(found):>6}  {seconds:>7.1f}  {worst}"
        )
    return lines


def again(point: Point) -> str:
    """A command for a shell."""
    if point.at == MOMENT:
        return REPEAT.format(f"{point.scenario}/*' --at '{point.what}")
    return REPEAT.format(point.id)


def failures(verdicts: Sequence[Verdict]) -> list[str]:
    lines = []
    for verdict in verdicts:
        if verdict.outcome == FAILED:
            lines.append(f"{verdict.point.id}  ({verdict.point.what or 'no request'})")
            lines += [f"    {line}" for line in verdict.failures]
            lines.append(f"    again: {again(verdict.point)}")
    return lines


def kills(verdicts: Sequence[Verdict]) -> str:
    """The last line of a run with kills at random moments: failed ones, and in how many of them what is never to be."""
    failed = [" ".join(v.failures) for v in verdicts if v.outcome == FAILED]
    frozen = sum(any(word in said for word in ("frozen", "freezing", "stands still")) for said in failed)
    orphans = sum(any(word in said for word in ("orphan", "left behind")) for said in failed)
    return f"KILLS {len(verdicts)} failed {len(failed)} frozen {frozen} orphans {orphans}"


def write_json(
    path: Path, verdicts: Sequence[Verdict], references: dict[str, Reference], seconds: float
) -> None:
    content = {
        "points": [_row(verdict) for verdict in verdicts],
        "undisturbed_seconds": {name: round(r.seconds, 2) for name, r in references.items()},
        "failed": sum(v.outcome == FAILED for v in verdicts),
        "seconds": round(seconds, 1),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def keep(path: Path, verdict: Verdict) -> None:
    """A line for each verdict, at once: a matrix on real sites takes an hour and may be broken off."""
    with path.open("a") as file:
        file.write("\n" + json.dumps(_row(verdict)))  # not behind what a killed run left half written


def kept(path: Path, points: Sequence[Point]) -> dict[str, Verdict]:
    """Verdicts ``keep`` wrote about these points, without failed ones and without a line cut short."""
    known = {point.id: point for point in points}
    found: dict[str, Verdict] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["id"] in known and row["outcome"] != FAILED:
            found[row["id"]] = Verdict(known[row["id"]], row["outcome"], row["seconds"], row["failures"])
    return found


def _row(verdict: Verdict) -> dict[str, object]:
    return {
        "id": verdict.point.id,
        "what": verdict.point.what,
        "outcome": verdict.outcome,
        "seconds": round(verdict.seconds, 2),
        "failures": verdict.failures,
    }
