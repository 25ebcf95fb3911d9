"""Only the very process that was recorded is ever killed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite_lab import process
from multisite_lab.process import Record


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def test_a_recorded_process_is_killed(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    Record.of(sleeper.pid).save(tmp_path / "init.json")
    found = Record.load(tmp_path / "init.json")
    assert found is not None
    assert found.alive()
    assert found.kill(timeout=10) < 10
    assert sleeper.wait(10) == -9
    assert not found.alive()
    assert (tmp_path / "init.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another-boot"}])
def test_a_process_that_inherited_the_number_is_spared(
    sleeper: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    stale = dataclasses.replace(Record.of(sleeper.pid), **change)  # type: ignore[arg-type]
    assert not stale.alive()
    assert stale.kill() == 0.0
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "{}", "12", '{"pid": 1}'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "init.json"
    path.write_text(text)
    assert Record.load(path) is None


def test_a_stopped_process_is_seen(sleeper: subprocess.Popen[bytes]) -> None:
    import signal
    import time

    assert not process.stopped(sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    end = time.monotonic() + 5
    while not process.stopped(sleeper.pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert process.stopped(sleeper.pid)
