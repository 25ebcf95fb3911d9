"""Running a program for a hook: what it sees, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.errors import Cancelled
from multisite.jobs.model import StepFailed
from multisite.recovery.recover.hooks.command import LONGEST_SHOWN, run

TOLD: dict[str, Any] = {"recovery": "r-1", "key": "job:hook-1", "servers": [{"name": "web1"}]}


@pytest.fixture
def program(tmp_path: Path) -> Any:
    def made(text: str, mode: int = 0o755) -> Path:
        file = tmp_path / "notify"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(mode)
        return file

    return made


def test_it_is_told_and_heard(program: Any) -> None:
    said = run(program('echo "$MULTISITE_RECOVERY $MULTISITE_KEY"; cat'), TOLD, 10)
    assert said.startswith("r-1 job:hook-1 {")
    assert '"web1"' in said


def test_its_environment_is_clean(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    said = run(program("env"), TOLD, 10)
    assert "secret" not in said
    assert "PATH=/usr/sbin" in said


def test_a_word_of_a_tenant_is_no_command(program: Any, tmp_path: Path) -> None:
    run(program('echo "$MULTISITE_RECOVERY"'), TOLD | {"recovery": f"$(touch {tmp_path}/x); `id`"}, 10)
    assert not (tmp_path / "x").exists()


def test_another_status_fails_with_its_words(program: Any) -> None:
    with pytest.raises(StepFailed, match="notify: ended with status 3: no such pool"):
        run(program("echo no such pool >&2; exit 3"), TOLD, 10)


def test_it_and_its_children_are_killed_when_the_time_is_over(program: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    begun = time.monotonic()
    with pytest.raises(StepFailed, match="notify: killed after 1 s"):
        run(program(f"sleep 60 & echo $! > {pids}; sleep 60"), TOLD, 1.0)
    assert time.monotonic() - begun < 10
    assert _gone(int(pids.read_text()))


def test_what_it_leaves_behind_is_killed_too(program: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    run(program(f"sleep 60 >/dev/null & echo $! > {pids}"), TOLD, 10)
    assert _gone(int(pids.read_text()))


def test_it_is_killed_when_the_job_is_cancelled(program: Any, tmp_path: Path) -> None:
    def go_on() -> None:
        raise Cancelled("", "hook", "stopped on request")

    with pytest.raises(Cancelled):
        run(program(f"echo $$ > {tmp_path}/pids; exec sleep 60"), TOLD, 60, go_on)


def test_much_output_is_bounded(program: Any) -> None:
    said = run(program("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end"), TOLD, 30)
    assert len(said) <= LONGEST_SHOWN
    assert said.endswith("the end")


@pytest.mark.parametrize(
    ("mode", "said"), [(0o644, "it is no program"), (0o757, "others than its owner may write it")]
)
def test_only_an_administrators_program_is_run(program: Any, mode: int, said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        run(program("true", mode), TOLD, 10)
    with pytest.raises(StepFailed, match="No such file"):
        run(Path("/nowhere/notify"), TOLD, 10)


def test_it_and_its_children_die_with_the_service(program: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    file = program(f"sleep 60 & echo $$ $! > {pids}.part; mv {pids}.part {pids}; wait")
    service = _service(f"run(Path({str(file)!r}), {{}}, 60)")
    numbers = [int(n) for n in _when_there(pids).split()]
    assert len(numbers) == 2
    service.kill()
    service.wait()
    assert all(_gone(number) for number in numbers)


def test_control_a_program_without_a_guardian_outlives_the_service(program: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    file = program(f"echo $$ > {pids}.part; mv {pids}.part {pids}; exec sleep 60")
    service = _service(f"subprocess.run([{str(file)!r}], start_new_session=True)")
    number = int(_when_there(pids))
    service.kill()
    service.wait()
    time.sleep(1)
    try:
        assert Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    finally:
        os.kill(number, signal.SIGKILL)


def test_what_the_kernel_cannot_run_is_told(tmp_path: Path) -> None:
    file = tmp_path / "notify"
    file.write_text("#!/no/such/interpreter\n")
    file.chmod(0o755)
    with pytest.raises(StepFailed, match="notify: it cannot be run: No such file or directory"):
        run(file, TOLD, 10)


def _service(line: str) -> subprocess.Popen[bytes]:
    code = (
        "import subprocess\nfrom pathlib import Path\n"
        f"from multisite.recovery.recover.hooks.command import run\n{line}"
    )
    return subprocess.Popen([sys.executable, "-c", code])


def _when_there(file: Path) -> str:
    for _ in range(300):
        if file.exists():
            return file.read_text()
        time.sleep(0.1)
    raise AssertionError(f"{file.name} was not written")


def _gone(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False
