"""Several ``tools/bootstrap`` at once, and the lab's own installation beside them, over an empty cache.

All is real but uv, which is a script that makes an empty ``.venv`` slowly and says when two of it are at work in one.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from multisite_lab import paths

ROOT = Path(__file__).parent.parent.parent.parent
NEEDED = (
    "requirements/dev.lock",
    "pyproject.toml",
    "client/pyproject.toml",
    "lab/pyproject.toml",
    "tools/bootstrap",
)
SECONDS = 600.0

UV = """#!/bin/sh
echo "uv $1 $$" >> uv.log
[ "$1" = venv ] || { [ -e .venv/bin ]; exit; }
mkdir at-work || { echo "uv: two at once"; exit 1; }
rm -rf .venv && sleep 0.3 && mkdir -p .venv/bin && rmdir at-work
"""
RECORD = "uv-1.dist-info/RECORD"
WHEEL = {
    "uv-1.data/scripts/uv": UV,
    "uv-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 1\n",
    "uv-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def _wheel(folder: Path) -> str:
    """Put the false uv there; returns the line of a lock file that pins it."""
    path = folder / "uv-1-py3-none-any.whl"
    rows = [f"{name},{_digest(text.encode())},{len(text)}" for name, text in WHEEL.items()]
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**WHEEL, RECORD: "\n".join([*rows, f"{RECORD},,"]) + "\n"}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, text)
    return f"uv==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two checkouts, ``one`` and ``two``, over one empty cache."""
    pin = _wheel(tmp_path)
    for checkout in (tmp_path / "one", tmp_path / "two"):
        shutil.copytree(ROOT / "lab/src", checkout / "lab/src", ignore=shutil.ignore_patterns("__pycache__"))
        for name in NEEDED:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
        (checkout / "lab/src/multisite_lab/data/uv.lock").write_text(pin)
    for name, value in {
        "MULTISITE_CACHE": tmp_path / "cache",
        "PIP_NO_INDEX": 1,
        "PIP_FIND_LINKS": tmp_path,
        "PYTHONDONTWRITEBYTECODE": 1,
    }.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


@contextmanager
def _started(*argv: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    with subprocess.Popen(argv, cwd=cwd, **both) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # with what it started, that may wait for a lock
                os.killpg(process.pid, signal.SIGKILL)


def _ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    return said


@contextmanager
def _held(path: Path) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def test_two_checkouts_and_the_lab_install_uv_once(machine: Path) -> None:
    lab = ("env", "PYTHONPATH=lab/src", "/usr/bin/python3", "-c")
    with (
        _started("tools/bootstrap", cwd=machine / "one") as one,
        _started("tools/bootstrap", cwd=machine / "two") as two,
        _started(
            *lab, "from multisite_lab import install; print(install.uv())", cwd=machine / "one"
        ) as three,
    ):
        said = [_ended(process) for process in (one, two, three)]
    by_lab = (machine / "cache/install.log").read_text() if (machine / "cache/install.log").exists() else ""
    assert sum("installing uv" in text for text in said) + by_lab.count(" -m venv ") == 1, said
    assert Path(said[2].strip()).exists()
    assert all((machine / checkout / ".venv/.made-of").exists() for checkout in ("one", "two"))


def test_two_in_one_checkout_make_one_environment(machine: Path) -> None:
    with (
        _started("tools/bootstrap", cwd=machine / "one") as one,
        _started("tools/bootstrap", cwd=machine / "one") as two,
    ):
        said = [_ended(process) for process in (one, two)]
    assert sum("making .venv" in text for text in said) == 1, said
    assert (machine / "one/uv.log").read_text().count("uv venv") == 1
    with _started("tools/bootstrap", cwd=machine / "one") as again:
        assert _ended(again) == ""


@pytest.mark.parametrize("lock", ["cache/install.lock", "one/tools/bootstrap"])
def test_it_waits_for_whoever_has_the_lock_and_says_so(machine: Path, lock: str) -> None:
    with _held(machine / lock), _started("tools/bootstrap", cwd=machine / "one") as waiting:
        assert _line(waiting).startswith("bootstrap: waiting for another ")
        time.sleep(0.3)
        assert not list((machine / "cache").glob("tools-*"))
        assert not (machine / "one/.venv").exists()
    with _started("tools/bootstrap", cwd=machine / "one") as free:
        assert _line(free) == "bootstrap: installing uv\n"


def test_what_was_left_half_made_is_made_again(machine: Path) -> None:
    """By a pip that was killed: uv is there, and of no use."""
    (machine / "cache" / _tools(machine) / "bin").mkdir(parents=True)
    broken = machine / "cache" / _tools(machine) / "bin/uv"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with _started("tools/bootstrap", cwd=machine / "two") as process:
        assert "installing uv" in _ended(process)


def _tools(machine: Path) -> str:
    return f"tools-{paths.digest(machine / 'two/lab/src/multisite_lab/data/uv.lock')}"
