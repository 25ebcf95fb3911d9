"""multisite-client installed alone: what it brings, that it works, and what needs the service's code says so."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from osc.cloud import Cloud
from packaging.requirements import Requirement

from client.conftest import Run, normal, required

ROOT = Path(__file__).parents[3]
LOAD = """
import sys
from importlib.metadata import entry_points
from unittest.mock import Mock
commands = [point.load() for point in entry_points(group="openstack.multisite.v1")]
for command in commands:
    command(Mock(), None).get_parser("openstack").format_help()
print(len(commands))
"""


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def test_it_brings_nothing_that_the_openstack_client_does_not_bring() -> None:
    plain = required("python-openstackclient")
    assert required("multisite-client") - plain == {"multisite-client"}
    assert "sqlalchemy" in required("multisite") - plain, "the service does, so the question can be answered"


def test_both_distributions_have_one_version(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
        assert not [name for name in archive.namelist() if name.startswith("multisite/")]
    assert metadata["Name"] == "multisite-client"
    assert metadata["Version"] == project(ROOT)["version"] == project(ROOT / "client")["version"]
    assert "pip install multisite-client" in str(metadata.get_payload())


def test_a_command_against_a_served_api(openstack: Run, cloud: Cloud) -> None:
    done = openstack(*cloud.argv(), "multisite", "site", "list", "-f", "json")
    assert done.returncode == 0, done.stderr
    assert [row["Name"] for row in json.loads(done.stdout)] == ["lyon", "paris"]
    assert cloud.requests[-1] == "GET /v1/sites 200"


def test_all_commands_load_and_have_help_without_the_service(alone: Path) -> None:
    missing = subprocess.run([str(alone), "-c", "import multisite"], capture_output=True, check=False)
    assert missing.returncode == 1
    done = subprocess.run(
        [str(alone), "-W", "ignore", "-c", LOAD], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.parametrize(
    "words",
    [
        "identity plan --sites 3",
        "identity render star.yaml --to rendered",
        "identity check star.yaml",
        "identity verify star.yaml",
        "identity keys status --config-file multisite.conf",
        "identity keys replace --compromised",
        "probe 127.0.0.1 --here",
    ],
)
def test_what_needs_the_services_code_says_what_to_install(openstack: Run, cloud: Cloud, words: str) -> None:
    login = cloud.argv() if words.startswith("probe") else []
    done = openstack(*login, "multisite", *words.split())
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("pip install multisite\n")
    assert done.stdout == ""


@pytest.mark.parametrize("folder", [ROOT, ROOT / "client"], ids=["multisite", "multisite-client"])
def test_what_is_imported_is_required(folder: Path) -> None:
    """By name: what another requirement brings besides may go with its next version."""
    owners = packages_distributions()
    named = {normal(Requirement(line).name) for line in project(folder)["dependencies"]}
    assert {top for top in imported(folder / "src") if not named & set(map(normal, owners[top]))} == set()


def imported(source: Path) -> set[str]:
    found: set[str] = set()
    for file in source.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"multisite", "multisite_client"}
