"""The real program: starts though nothing it needs answers, says so in JSON lines, restarts, stops."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command.conftest import SECRET, Setup, free_port
from command.reading import ORDINARY, read
from multisite.command import manage

MULTISITE = [sys.executable, "-c", "import sys; from multisite.command.main import main; sys.exit(main())"]


@contextmanager
def served(setup: Setup) -> Iterator[subprocess.Popen[bytes]]:
    with (setup.folder / "log").open("ab") as log:
        argv = [*ORDINARY, *MULTISITE, "serve", "--config-file", str(setup.file)]
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True, cwd=setup.folder)
    try:
        wait_for(lambda: status(setup, "/healthcheck") == 200, process)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(done: object, process: subprocess.Popen[bytes] | None = None, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert process is None or process.poll() is None, "it ended"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def status(setup: Setup, path: str) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{setup.port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def worker_of(process: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


def log_of(setup: Setup, file: str = "log") -> list[dict[str, object]]:
    return [json.loads(line) for line in (setup.folder / file).read_text().splitlines()]


@pytest.fixture
def prepared(setup: Setup) -> Setup:
    assert manage.main(["store", "init", "--config-file", str(setup.file)]) == 0
    return setup


def test_serving_survives_what_does_not_answer_and_a_lost_worker(prepared: Setup) -> None:
    prepared.change("[DEFAULT]", f"[DEFAULT]\nlog_file = {prepared.folder / 'log.json'}")
    with served(prepared) as process:
        state = prepared.folder / "state"
        made = {path.name: path.stat().st_mode & 0o777 for path in (state, *state.iterdir())}
        assert {made.pop("state")} == {0o750}
        assert {"multisite.sqlite", "multisite.sqlite-wal", "multisite.sqlite.lock"} <= made.keys()
        assert {mode for name, mode in made.items() if name.startswith("multisite.")} == {0o640}
        # Keys are for the service's own account alone.
        assert {name for name, mode in made.items() if mode & 0o027} == set()
        assert (prepared.folder / "log.json").stat().st_mode & 0o777 == 0o640
        assert status(prepared, "/") == 200
        assert status(prepared, "/readiness") == 200
        assert status(prepared, "/v1/sites") == 401
        first = worker_of(process)
        assert [read(pid, SECRET) for pid in (process.pid, first)] == ["denied"] * 2
        os.kill(first, signal.SIGSEGV)
        wait_for(lambda: status(prepared, "/healthcheck") == 200 and worker_of(process) != first, process)
        assert [resource.prlimit(pid, resource.RLIMIT_CORE) for pid in (process.pid, worker_of(process))] == [
            (0, 0)
        ] * 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert list(prepared.folder.glob("*core*")) == []
    lines = log_of(prepared, "log.json")
    messages = [str(line["message"]) for line in lines]
    assert sum(m.startswith("serving on 127.0.0.1") for m in messages) == 2
    assert "GET /v1/sites 401" not in messages, "what the middleware refuses is not the application's"
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert SECRET not in (prepared.folder / "log.json").read_text() + (prepared.folder / "log").read_text()


def test_a_second_service_on_the_same_jobs_gives_up_in_one_line(
    prepared: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(prepared):
        prepared.change(f"port = {prepared.port}", f"port = {free_port()}")
        program = (
            "import sys; from multisite.command import serve; serve.LOCK_PATIENCE = 0.5;"
            "from multisite.command.main import main; sys.exit(main())"
        )
        second = subprocess.run(
            [sys.executable, "-c", program, "serve", "--config-file", str(prepared.file)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert second.returncode != 0
    plain = [line for line in second.stderr.splitlines() if not line.startswith("{")]
    assert len(plain) == 1, second.stderr
    assert "another process" in plain[0]
    assert "Traceback" not in second.stderr
