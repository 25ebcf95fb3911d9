"""The lab is what the product would render: `identity check` finds no drift in it, and one that is planted."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_identity import passwords
from star_topology import OPENSTACK, star

from multisite.identity.topology import file as topology_file
from multisite_lab.model import ALL_SITES
from multisite_lab.star import layout


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """Each site's keystone.conf, laid out as `render` writes."""
    for site in ALL_SITES.values():
        target = tmp_path / "configs" / site.name / "keystone/etc/keystone"
        target.mkdir(parents=True)
        (target / "keystone.conf").write_text((site.etc / "keystone/keystone.conf").read_text())
    return tmp_path / "configs"


def check(folder: Path, configs: Path) -> tuple[int, list[dict[str, Any]], str]:
    file = folder / "identity.yaml"
    file.write_text(topology_file.dumped(star()))
    environment = os.environ | {
        "OS_AUTH_URL": layout.ENTRY_URL, "OS_USERNAME": "admin", "OS_PASSWORD": passwords().admin,
        "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
    }  # fmt: skip
    command = [OPENSTACK, "multisite", "identity", "check", file, "--configs", configs, "-f", "json"]
    command += ["--only", "keystone", "--only", "catalog"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ran.stdout, ran.stderr
    assert passwords().service not in ran.stdout + ran.stderr
    return ran.returncode, json.loads(ran.stdout), ran.stderr


def test_the_lab_is_as_rendered(tmp_path: Path, collected: Path) -> None:
    status, found, _ = check(tmp_path, collected)
    assert (status, found) == (0, [])


def test_a_drift_is_found(tmp_path: Path, collected: Path) -> None:
    file = collected / "site3/keystone/etc/keystone/keystone.conf"
    text = file.read_text()
    assert "[revoke]\ncache_time = 2\n" in text
    file.write_text(text.replace("[revoke]\ncache_time = 2\n", "[revoke]\ncache_time = 3600\n"))
    status, (found,), _ = check(tmp_path, collected)
    assert status == 1
    assert (found["Site"], found["Kind"]) == ("site3", "[revoke] cache_time")
