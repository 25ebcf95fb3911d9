"""The crash matrix: kill -9 at every boundary of every job of recovery, or at random moments; see what becomes of it.

python -m tests.matrix [--only POINT] [--sample N | --random N | --at SHARE] [--seed S] [--jobs 2] [--json FILE]
                       [--resume FILE] [--list] [--lab]
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.matrix import report
from tests.matrix.judge import FAILED, Reference, Verdict, attempt, record
from tests.matrix.plants import PLANTS
from tests.matrix.points import ANY, MOMENT, Point, moments, only, sample
from tests.matrix.processes import Processes
from tests.matrix.scenarios import NAMED, SCENARIOS, needed
from tests.matrix.simulated import SimStage
from tests.matrix.stage import Stage

AROUND_THE_FREEZE = ("*/capture/*",)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description="the crash matrix")
    parser.add_argument(
        "--only", action="append", metavar="POINT", help="an id, or a pattern: 'recover/port*'"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="that many, the scenarios in turn")
    parser.add_argument(
        "--random",
        type=int,
        metavar="N",
        help="no boundaries: N moments drawn by chance, the scenarios in turn",
    )
    parser.add_argument(
        "--at",
        type=float,
        metavar="SHARE",
        help="one moment in each scenario, as a share of what it takes (0.37)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="points at a time (simulated sites)")
    parser.add_argument("--servers", type=int, default=2, help="of the application")
    parser.add_argument("--minutes", type=float, metavar="M", help="begin no more points after that")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="verdicts go there; those of an earlier run count, failed ones are tried again",
    )
    parser.add_argument("--list", action="store_true", help="only name the points")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="have this bug: the matrix must find it")
    parser.add_argument(
        "--lab", action="store_true",
        help="on the lab's sites (inside its core network): all around the freeze, and --sample others (20)",
    )  # fmt: skip
    return parser.parse_args()


def chosen(asked: argparse.Namespace, points: Sequence[Point]) -> list[Point]:
    if asked.only:
        points = only(points, asked.only)
    if asked.lab and not asked.only:
        return sample(points, 20 if asked.sample is None else asked.sample, asked.seed, AROUND_THE_FREEZE)
    return list(points) if asked.sample is None else sample(points, asked.sample, asked.seed)


def drawn(asked: argparse.Namespace, wanted: Sequence[str]) -> dict[Point, float]:
    """The moments, with their shares; empty when boundaries are wanted."""
    if asked.at is not None:
        return {Point(name, ANY, MOMENT, 1, f"{asked.at:.3f}"): asked.at for name in wanted}
    return dict(moments(wanted, asked.random, asked.seed)) if asked.random else {}


def scenarios_of(asked: argparse.Namespace) -> list[str]:
    """Those whose points are wanted: a pattern that names its scenario spares the others, as a small sample does."""
    heads = {pattern.split("/")[0] for pattern in asked.only or ("*",)}
    wanted = list(NAMED) if any(head not in NAMED for head in heads) else sorted(heads)
    wanted = [name for name in wanted if NAMED[name].steps and not (asked.lab and NAMED[name].simulated)]
    count = asked.random or (None if asked.lab or asked.list else asked.sample)
    if count is None or count >= len(wanted):
        return wanted
    drawn = set(random.Random(asked.seed).sample(wanted, count))
    return [name for name in wanted if name in drawn]


def try_all(
    stage: Stage,
    lanes: Sequence[Processes],
    points: Sequence[Point],
    references: dict[str, Reference],
    until: float = math.inf,
    kept: Path | None = None,
    shares: Mapping[Point, float] = MappingProxyType({}),
) -> list[Verdict]:
    """Each point once, one at a time in each lane, all over the matrix; told in the order of the points.

    ``kept``: where verdicts are written as they come, and those of an earlier run are found.  ``shares``: of moments.
    """
    verdicts, lock = report.kept(kept, points) if kept else dict[str, Verdict](), threading.Lock()
    waiting = [point for point in points if point.id not in verdicts]
    random.Random(len(waiting)).shuffle(waiting)

    def lane(processes: Processes) -> None:
        while True:
            with lock:
                if not waiting or time.monotonic() > until:
                    return
                point = waiting.pop()
            verdict = attempt(stage, processes, point, references[point.scenario], shares.get(point))
            with lock:
                verdicts[point.id] = verdict
                if kept:
                    report.keep(kept, verdict)
                report.progress(len(verdicts), len(points), verdict)

    threads = [threading.Thread(target=lane, args=(processes,)) for processes in lanes]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        with lock:
            waiting.clear()  # or every point left would be tried without a process to try it in
        raise
    return [verdicts[point.id] for point in points if point.id in verdicts]


def run(asked: argparse.Namespace, stage: Stage) -> int:
    begun = time.monotonic()
    wanted = scenarios_of(asked)
    lanes = [
        Processes(hurry=stage.hurry, seconds=stage.seconds, plant=asked.plant)
        for _ in range(1 if asked.lab else max(1, asked.jobs))
    ]
    try:
        references: dict[str, Reference] = {}
        for scenario in needed(wanted):
            references[scenario.name] = found = record(stage, lanes[0], scenario)
            report.told(f"{scenario.name}: {len(found.points)} points, {found.seconds:.1f} s undisturbed")
        every = [p for s in SCENARIOS if s.name in wanted for p in references[s.name].points]
        shares = drawn(asked, wanted)
        points = list(shares) or chosen(asked, every)
        if asked.list:
            for point in points:
                print(f"{point.id:<60} {point.what}".rstrip())
            return 0
        until = begun + 60 * asked.minutes if asked.minutes else math.inf
        verdicts = try_all(stage, lanes, points, references, until, asked.resume, shares)
    finally:
        for processes in lanes:
            processes.__exit__(None, None, None)
    seconds = time.monotonic() - begun
    if asked.json:
        report.write_json(asked.json, verdicts, references, seconds)
    for line in (*report.table(verdicts), "", *report.failures(verdicts)):
        print(line)
    failed = sum(v.outcome == FAILED for v in verdicts)
    untried = len(points) - len(verdicts)
    print(f"{seconds:.0f} s in all" + (f"; {untried} points not tried, the time was over" if untried else ""))
    if shares:
        print(report.kills(verdicts))
    else:
        print(f"CRASH points {len(verdicts)} failed {failed}")
    return 1 if failed or not verdicts else 0


def main() -> int:
    asked = options()
    with tempfile.TemporaryDirectory(prefix="crash-matrix-") as folder:
        if asked.lab:
            from tests.matrix.real import RealStage

            with RealStage(Path(folder), asked.servers).deployed() as real:
                return run(asked, real)
        return run(asked, SimStage(Path(folder), asked.servers))


if __name__ == "__main__":
    sys.exit(main())
