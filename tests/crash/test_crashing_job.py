"""A job whose step kills the process is not taken up for ever: others' jobs would never be carried out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("crashing_worker.py")


def life(directory: Path, *order: str) -> tuple[int, Any]:
    """How the process ended, and the job as it left it."""
    command = [sys.executable, str(WORKER), str(directory), *order]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else None


def test_a_job_that_kills_its_process_twice_is_set_aside_until_it_is_resumed(tmp_path: Path) -> None:
    (tmp_path / "crashing").touch()
    assert [life(tmp_path)[0] for _ in range(2)] == [-9, -9]
    code, job = life(tmp_path)
    assert (code, job["state"]) == (0, "paused")
    assert "died 2 times in a row during b" in job["error"]
    assert "resume or undo it" in job["error"]
    assert [step["state"] for step in job["steps"]] == ["done", "failed"]
    # Resumed it is tried again, twice.
    assert [life(tmp_path, "resume")[0], life(tmp_path)[0]] == [-9, -9]
    assert life(tmp_path)[1]["state"] == "paused"
    (tmp_path / "crashing").unlink()
    code, job = life(tmp_path, "resume")
    assert (code, job["state"], job["error"]) == (0, "done", None)


def test_a_neighbor_is_not_set_aside_for_it(tmp_path: Path) -> None:
    """Both were at work each time: then one at a time, which tells them apart."""
    (tmp_path / "crashing").touch()
    assert [life(tmp_path, "beside")[0] for _ in range(3)] == [-9, -9, -9]
    code, (job, neighbor) = life(tmp_path, "beside")
    assert (code, job["state"], neighbor["state"]) == (0, "paused", "done")
    assert "died 3 times in a row during b" in job["error"]
    assert (neighbor["error"], neighbor["steps"][0]["attempt"]) == (None, 3)


def test_orderly_stops_speak_against_no_job(tmp_path: Path) -> None:
    """Negative control: so many restarts during one step, and the job goes on."""
    assert [life(tmp_path, "stop")[0] for _ in range(3)] == [0, 0, 0]
    code, job = life(tmp_path)
    assert (code, job["state"]) == (0, "done")
