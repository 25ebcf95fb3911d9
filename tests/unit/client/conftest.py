"""An environment of multisite-client's wheel and what it requires, and nothing else; made without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

import pytest
from api.setup import Services
from osc.cloud import Cloud, running
from packaging.requirements import Requirement

CLIENT = Path(__file__).parents[3] / "client"
OPENSTACK = "import sys; from openstackclient.shell import main; sys.exit(main(sys.argv[1:]))"
Run = Callable[..., subprocess.CompletedProcess[str]]


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(name: str, found: set[str] | None = None) -> set[str]:
    """The distributions that installing ``name`` brings, itself included."""
    found = set() if found is None else found
    name = normal(name)
    if name not in found:
        found.add(name)
        for line in distribution(name).requires or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                required(wanted.name, found)
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(to)]
    subprocess.run(argv, cwd=CLIENT, check=True, capture_output=True)
    (made,) = to.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of that environment; what the wheel requires is linked from ours."""
    home = tmp_path_factory.mktemp("alone")
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    for name in required("multisite-client") - {"multisite-client"}:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return home / "bin/python"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with closing(Services()) as services, running(services) as found:
        yield found


@pytest.fixture
def openstack(alone: Path, tmp_path: Path) -> Run:
    """Runs ``openstack`` there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(alone), "-W", "ignore", "-c", OPENSTACK, *words]
        return subprocess.run(
            argv, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=120, check=False
        )

    return run
