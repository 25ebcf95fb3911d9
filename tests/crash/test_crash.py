"""kill -9 at every point of a job, then restart: only what was in flight is done again, nothing is forgotten.

Points: after every commit of the engine, every effect of a step or its undo, and every callback of the kind.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

NEEDS = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
SCENARIOS = {"done": ("done", 17), "undone": ("undone", 17), "resumed": ("done", 5)}


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    directory = tmp_path_factory.mktemp("crash")
    command = [sys.executable, str(Path(__file__).with_name("crash_worker.py")), str(directory)]
    worker = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert worker.returncode == 0, worker.stderr
    return {
        scenario: [
            json.loads(line) for file in directory.glob(f"{scenario}-*/seen.jsonl") for line in file.open()
        ]
        for scenario in SCENARIOS
    }


def _problems(seen: dict[str, Any], state: str) -> list[str]:
    problems = []
    if seen["ends"] != [-9, 0]:
        problems.append(f"lives ended {seen['ends']}, not by SIGKILL and then well")
    if seen["job"] is None or seen["job"]["state"] != state:
        problems.append(f"the job is not {state}")
    told = [entry[1] for entry in seen["log"] if entry[0] == "told"]
    if not told or told[-1] != state:
        problems.append(f"its kind was told {told}")
    if len(told) > len(set(told)) and not seen["point"].startswith("told-"):
        problems.append(f"its kind was told {told}, although nothing was lost")
    for kind in ("run", "undo"):
        problems += _repeats(seen, kind)
    return problems + _order(seen["log"])


def _repeats(seen: dict[str, Any], kind: str) -> list[str]:
    """Each effect once; one more, and knowing it, only of what was in flight."""
    problems = []
    effects = [entry for entry in seen["log"] if entry[0] == kind]
    for name, count in Counter(entry[1] for entry in effects).items():
        asked = 2 if kind == "run" and name == "d" and "paused" in json.dumps(seen["log"]) else 1
        mine = [entry for entry in effects if entry[1] == name]
        if count > asked + (name in seen["in_flight"]):
            problems.append(f"{kind} of {name}: {count} times")
        again = [entry for entry in mine if entry[3]]
        if again and name not in seen["in_flight"]:
            problems.append(f"{kind} of {name} was told of an interruption that was none")
        if count > asked and not again:
            problems.append(f"{kind} of {name} was repeated without being told so")
    return problems


def _order(log: list[list[Any]]) -> list[str]:
    problems = []
    runs = [entry[1] for entry in log if entry[0] == "run"]
    undos = [entry[1] for entry in log if entry[0] == "undo"]
    for name, needs in NEEDS.items():
        for need in needs:
            if name in runs and max(i for i, n in enumerate(runs) if n == need) > runs.index(name):
                problems.append(f"{need} ran after {name}")
            if need in undos and max(i for i, n in enumerate(undos) if n == name) > undos.index(need):
                problems.append(f"{need} was undone before {name}")
    for entry in log:
        if entry[0] == "undo" and entry[4] != (None if entry[1] == "d" else {"made": entry[1]}):
            problems.append(f"undo of {entry[1]} got {entry[4]}")
    return problems


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_crash_point(observed: dict[str, list[dict[str, Any]]], scenario: str) -> None:
    state, at_least = SCENARIOS[scenario]
    points = observed[scenario]
    assert len(points) == points[0]["points"] >= at_least
    wrong = {seen["point"]: problems for seen in points if (problems := _problems(seen, state))}
    assert wrong == {}
    if scenario == "undone":
        undone = {entry[1] for seen in points for entry in seen["log"] if entry[0] == "undo"}
        assert undone == set(NEEDS)


def test_crashes_did_interrupt_steps(observed: dict[str, list[dict[str, Any]]]) -> None:
    """The check of the check: there were steps in flight, and some of them had had their effect already."""
    lost = [seen for points in observed.values() for seen in points if seen["in_flight"]]
    assert len(lost) >= 10
    again = [entry for seen in lost for entry in seen["log"] if entry[0] in ("run", "undo") and entry[3]]
    assert len(again) >= 10
