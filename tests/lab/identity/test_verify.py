"""`identity verify` on three real sites: all nine pairs, and without `region_name` it says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from real_identity import SITES, passwords

from multisite.identity import topology_file
from multisite.identity.proof.keystone import Login
from multisite.identity.proof.verify import CANARY, SLACK, verify
from multisite.identity.topology import (
    Arbitrator,
    Database,
    Form,
    IdentitySite,
    Role,
    Topology,
)
from multisite_lab.model import ALL_SITES
from multisite_lab.star import layout

OPENSTACK = Path(sys.executable).with_name("openstack")


@pytest.fixture
def topology() -> Topology:
    """The lab's identity as a topology file would have it."""
    return Topology(
        name="lab",
        form=Form.STAR,
        entry=layout.ENTRY_URL,
        sites=tuple(
            IdentitySite(
                name=site.name,
                region=site.region,
                role=Role.MASTER if layout.is_master(site) else Role.REPLICA,
                address=site.management,
                databases=tuple(
                    Database(site.management, node.port, node.follows.name if node.follows else None)
                    for node in layout.nodes(site)
                ),
            )
            for site in ALL_SITES.values()
        ),
        arbitrator=Arbitrator(layout.ARBITRATOR_SITE.management, layout.ARBITRATOR_SITE.name),
        cache_time=layout.CACHE_TIME,
        token_cache_time=layout.TOKEN_CACHE_TIME,
    )


def test_all_pairs_are_proven(topology: Topology, tmp_path: Path) -> None:
    file, report = tmp_path / "identity.yaml", tmp_path / "report.json"
    file.write_text(topology_file.dumped(topology))
    environment = {
        **os.environ, "OS_AUTH_URL": layout.ENTRY_URL, "OS_USERNAME": "admin", "OS_PASSWORD": passwords().admin,
        "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
    }  # fmt: skip
    ran = subprocess.run(
        [OPENSTACK, "multisite", "identity", "verify", str(file), "--report", str(report)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(report.read_text())
    assert {(pair["issued"], pair["used"]) for pair in found["pairs"]} == {
        (a, b) for a in SITES for b in SITES
    }
    assert found["inter_site_validations"] == 0
    assert all(0 <= pair["refused_after"] <= topology.revocation_bound + SLACK for pair in found["pairs"])
    assert all(lag["seconds"] is not None for lag in found["lags"])
    assert passwords().admin not in ran.stdout + ran.stderr + report.read_text()
    assert CANARY not in ran.stdout


def test_without_the_region_services_ask_other_sites_and_it_says_so(topology: Topology) -> None:
    found = verify(topology, Login("admin", passwords().admin), by_region=False)
    assert found.inter_site > 0
    assert found.status == 1
    assert any("set region_name" in line for line in found.failures)
