"""A few points of the crash matrix, and bugs it has to find: the negative control."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from multisite_lab.sim.model import Settings
from tests.matrix import report
from tests.matrix.judge import EQUAL, FAILED, Verdict, attempt, record
from tests.matrix.points import ANY, MOMENT, Point, moments, only, sample
from tests.matrix.processes import Processes
from tests.matrix.scenarios import NAMED
from tests.matrix.simulated import SimStage
from tests.sim.service import ROOT

SEED, ANY_SEED = 14, 69
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
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert file.exists(), done.stderr
    return done.returncode, done.stdout.splitlines()[-1], json.loads(file.read_text())


def test_a_sample_of_the_points_comes_out_as_if_nothing_had_happened(tmp_path: Path) -> None:
    code, last, told = matrix(tmp_path / "told.json", "--sample", "6", "--seed", str(SEED))
    assert [point for point in told["points"] if point["failures"]] == []
    assert (code, last) == (0, "CRASH points 6 failed 0")
    assert len({point["id"].split("/")[0] for point in told["points"]}) == 6


def test_a_kill_at_any_moment_freezes_and_orphans_nothing(tmp_path: Path) -> None:
    code, last, told = matrix(tmp_path / "told.json", "--random", "5", "--seed", str(ANY_SEED))
    assert [point for point in told["points"] if point["failures"]] == []
    assert (code, last) == (0, "KILLS 5 failed 0 frozen 0 orphans 0")
    assert len({point["id"].split("/")[0] for point in told["points"]}) == 5


def test_a_planted_bug_is_found_by_a_kill_in_the_middle(tmp_path: Path) -> None:
    """The negative control of the moments: one of them meets servers that stand still for long."""
    stage = SimStage(tmp_path, 1, settings=Settings(snapshot=6.0))
    with Processes(hurry=True, seconds=stage.seconds, plant="frozen") as processes:
        reference = record(stage, processes, NAMED["full"])
        for share in (0.5, 0.4, 0.6, 0.3, 0.7):
            point = Point("full", ANY, MOMENT, 1, str(share))
            verdict = attempt(stage, processes, point, reference, share)
            if verdict.outcome == FAILED:
                break
    assert "is frozen" in "; ".join(verdict.failures), verdict
    assert report.kills([verdict]) == "KILLS 1 failed 1 frozen 1 orphans 0"


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


def test_moments_are_the_same_for_the_same_seed_and_can_be_repeated() -> None:
    drawn = moments(["full", "recover"], 7, seed=3)
    assert drawn == moments(["full", "recover"], 7, seed=3) != moments(["full", "recover"], 7, seed=4)
    assert sorted(p.scenario for p, _ in drawn).count("full") in (3, 4)
    assert len({p.id for p, _ in drawn}) == 7
    point, share = drawn[0]
    assert report.again(point) == (
        f"make crash-matrix ARGS=\"--only '{point.scenario}/*' --at '{share:.3f}'\""
    )
    assert 0 < share <= 1


def test_what_came_of_kills_is_counted() -> None:
    (one, _), (two, _), (three, _) = moments(["full"], 3, seed=1)
    verdicts = [
        Verdict(one, EQUAL, 1.0),
        Verdict(two, FAILED, 1.0, ["site1: server mme-1 is frozen"]),
        Verdict(three, FAILED, 1.0, ["site2: port p of multisite:j:port-1: an orphan"]),
    ]
    assert report.kills(verdicts) == "KILLS 3 failed 2 frozen 1 orphans 1"


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
