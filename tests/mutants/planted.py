"""A planted bug in a copy of the tree, and what the tests that are to see it say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("src", "client/src", "lab/src", "plugins/nova/src", "plugins/neutron/src")
LIMIT = 600.0
CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "BROKEN"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """``kind``: the class of the bug, ``file`` below ``src/multisite``, ``old`` what is there exactly once, ``new``
    what is planted, ``suite`` arguments of pytest.
    """

    name: str
    kind: str
    file: str
    old: str
    new: str
    suite: str

    @property
    def path(self) -> Path:
        return Path("src/multisite") / self.file

    def planted(self, source: str) -> str:
        """The source with the bug; ValueError when it has moved on, or is no Python afterwards."""
        if (count := source.count(self.old)) != 1:
            raise ValueError(
                f"{self.name}: {self.file} has {count} times {self.old!r}: change the row with it"
            )
        text = source.replace(self.old, self.new)
        compile(text, self.file, "exec")
        return text


@dataclass(frozen=True)
class Verdict:
    """``by``: the test that failed first, or why there is no verdict."""

    mutant: Mutant
    outcome: str
    by: str
    seconds: float


def copy_tree(into: Path) -> Path:
    """What git knows, or would: the tests see the tree as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.check_output(command, cwd=ROOT, text=True).split("\0")):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, into / name)
    return into


@contextmanager
def _changed(file: Path, mutant: Mutant) -> Iterator[None]:
    """The bytecode goes with the source: two changes within a second look the same to the interpreter."""
    whole = file.read_text()

    def write(text: str) -> None:
        file.write_text(text)
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            compiled.unlink()

    write(mutant.planted(whole))
    try:
        yield
    finally:
        write(whole)


def run_suite(tree: Path, suite: Sequence[str]) -> tuple[int | None, str]:
    """Exit status of pytest in the tree (None: not within the limit) and what it printed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / s) for s in SOURCES)}
    imported = "import multisite, sys; sys.exit(not multisite.__file__.startswith(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", imported, str(tree)], env=environment, check=True)
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-W", "ignore", *suite]
    try:
        done = subprocess.run(
            argv, cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"no end within {LIMIT:.0f} s"
    return done.returncode, done.stdout + done.stderr


def attempt(tree: Path, mutant: Mutant, sound: set[str]) -> Verdict:
    """Plant the bug in the tree, run its suite, and take the bug out again.

    ``sound``: suites that were seen to pass without any bug; one that is not yet is run so first.
    """
    suite = mutant.suite
    if suite not in sound:
        code, said = run_suite(tree, suite.split())
        if code != 0:
            return Verdict(mutant, BROKEN, f"without any bug: {_last(said)}", 0.0)
        sound.add(suite)
    begun = time.monotonic()
    with _changed(tree / mutant.path, mutant):
        code, said = run_suite(tree, suite.split())
    failed = _FAILED.search(said)
    if code == 0:
        outcome, by = SURVIVED, ""
    elif code == 1 and failed:
        outcome, by = CAUGHT, failed[1]
    else:
        outcome, by = BROKEN, _last(said)
    return Verdict(mutant, outcome, by, time.monotonic() - begun)


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1]
