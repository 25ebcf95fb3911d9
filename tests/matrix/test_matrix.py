"""A few points of the crash matrix, and bugs it has to find: the negative control."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.matrix import report
from tests.matrix.judge import EQUAL, FAILED, Verdict
from tests.matrix.points import Point, only, sample
from tests.sim.service import ROOT

SEED = 4
PLANTED = {
    "second": ("recover/servergroup-1/after-1", 1, "2 times server group mme-ms-"),
    "frozen": ("full/capture/after-1", 1, "server mme-1 is frozen"),
    "order": ("full/capture/after-2", 2, "thaw order"),
}


def matrix(file: Path, *words: str) -> tuple[int, str, dict[str, Any]]:
    """Exit status, last line, and what it tells programs."""
    argv = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.matrix",
        "--json",
        str(file),
        *words,
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert file.exists(), done.stderr
    return done.returncode, done.stdout.splitlines()[-1], json.loads(file.read_text())


def test_a_sample_of_the_points_comes_out_as_if_nothing_had_happened(tmp_path: Path) -> None:
    code, last, told = matrix(tmp_path / "told.json", "--sample", "6", "--seed", str(SEED))
    assert [point for point in told["points"] if point["failures"]] == []
    assert (code, last) == (0, "CRASH points 6 failed 0")
    assert len({point["id"].split("/")[0] for point in told["points"]}) == 6


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_bug_is_found_and_can_be_repeated(tmp_path: Path, plant: str) -> None:
    point, servers, words = PLANTED[plant]
    asked = ("--only", point, "--plant", plant, "--servers", str(servers))
    code, last, told = matrix(tmp_path / "told.json", *asked)
    assert (code, last) == (1, "CRASH points 1 failed 1")
    (found,) = told["points"]
    assert found["id"] == point
    assert words in "; ".join(found["failures"])


def some(scenario: str, steps: int) -> list[Point]:
    return [Point(scenario, f"step-{n}", at, 1) for n in range(steps) for at in ("begun", "before", "done")]


def test_points_are_named_and_picked_by_name() -> None:
    points = some("full", 2)
    assert [p.id for p in points][:3] == ["full/step-0/begun", "full/step-0/before-1", "full/step-0/done"]
    assert [p.id for p in only(points, ["full/*/done"])] == ["full/step-0/done", "full/step-1/done"]


def test_a_sample_is_the_same_for_the_same_seed_and_of_all_scenarios() -> None:
    points = some("full", 3) + some("recover", 30)
    picked = sample(points, 8, seed=7)
    assert picked == sample(points, 8, seed=7)
    assert picked != sample(points, 8, seed=8)
    assert sum(p.scenario == "full" for p in picked) == 4
    assert set(only(points, ["*/step-1/*"])) <= set(sample(points, 0, 1, always=["*/step-1/*"]))
    assert sample(points, 1000, 1) == points


def test_a_run_broken_off_is_gone_on_with(tmp_path: Path) -> None:
    points, file = some("full", 2), tmp_path / "kept"
    assert report.kept(file, points) == {}
    report.keep(file, Verdict(points[0], EQUAL, 1.5))
    report.keep(file, Verdict(points[1], FAILED, 2.0, ["an orphan"]))
    with file.open("a") as written:
        written.write('\n{"id": "full/step-1/done", "outc')  # killed while it wrote
    known = report.kept(file, points)
    assert list(known) == [points[0].id], "failed points and half a line are tried again"
    report.keep(file, Verdict(points[1], EQUAL, 2.0))
    assert len(report.kept(file, points)) == 2
    assert (known[points[0].id].outcome, known[points[0].id].seconds) == (EQUAL, 1.5)
