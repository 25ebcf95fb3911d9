"""Where a process can die: one point for each boundary a recording run passed, and which of them to try."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

JOB = "job"
"""Stands for the step where a boundary is of the job as a whole."""
ANY, MOMENT = "any", "moment"
"""Stand for the step and the boundary where the moment is drawn by chance."""
OWN = {"begun", "effect", "done", "claimed", "concluded", "told", "settled"}
"""Passed once by a step or a job; the others are counted: ``before-2``."""


@dataclass(frozen=True)
class Point:
    """The ``number``-th time that ``step`` passes ``at`` in the run of ``scenario``; ``what`` is for people.

    | at | the process dies |
    |---|---|
    | ``begun`` | before the effect, RUNNING (or UNDOING) is committed |
    | ``before`` | before a changing request is sent |
    | ``after`` | when its answer has come, before it is used |
    | ``store`` | before a file of the backup store is renamed, made or removed |
    | ``effect`` | after the effect, before its end is committed |
    | ``done`` | right after that |
    | ``claimed``, ``grown``, ``concluded``, ``settled`` | after such a commit for the job as a whole |
    | ``told`` | when its kind has been told, before the job is settled |
    | ``commit``, ``committed`` | before and after a commit of a verb that has no job |
    | ``moment`` | at a moment drawn by chance, given as a share of what the undisturbed run took |
    """

    scenario: str
    step: str
    at: str
    number: int
    what: str = ""

    @property
    def id(self) -> str:
        count = "" if self.at in OWN and self.number == 1 else f"-{self.number}"
        return f"{self.scenario}/{self.step}/{self.at}{count}"

    @property
    def key(self) -> tuple[str, str, int]:
        return self.step, self.at, self.number


def moments(scenarios: Sequence[str], count: int, seed: int) -> list[tuple[Point, float]]:
    """``count`` moments, the scenarios in turn, each with its share of the undisturbed run; the same for a seed."""
    dice = random.Random(seed)
    order = list(scenarios)
    dice.shuffle(order)
    found = []
    for number in range(count):
        share = round(dice.uniform(0.02, 1.0), 3)
        found.append((Point(order[number % len(order)], ANY, MOMENT, number + 1, f"{share:.3f}"), share))
    return found


def read_points(scenario: str, notes: Path) -> list[Point]:
    """What a recording process noted, in its order; each point once."""
    rows = (json.loads(line) for line in notes.read_text().splitlines())
    return list(dict.fromkeys(Point(scenario, *row) for row in rows))


def only(points: Sequence[Point], patterns: Sequence[str]) -> list[Point]:
    """Those one of the patterns matches, as file names are matched; an id matches itself."""
    return [p for p in points if any(fnmatchcase(p.id, pattern) for pattern in patterns)]


def sample(points: Sequence[Point], count: int, seed: int, always: Sequence[str] = ()) -> list[Point]:
    """``count`` of them, the same for the same seed, in their order; those ``always`` matches besides.

    The scenarios take turns, or the longest would have nearly all.
    """
    kept = set(only(points, always))
    dice = random.Random(seed)
    piles: dict[str, list[Point]] = {}
    for point in points:
        if point not in kept:
            piles.setdefault(point.scenario, []).append(point)
    for pile in piles.values():
        dice.shuffle(pile)
    order = list(piles.values())
    dice.shuffle(order)
    while count > 0 and any(order):
        for pile in order:
            if pile and count > 0:
                kept.add(pile.pop())
                count -= 1
    return [point for point in points if point in kept]
