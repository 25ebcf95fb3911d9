"""`identity verify` on three real sites: all nine pairs, and without `region_name` it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_identity import passwords
from star_topology import proven, star

from multisite.identity.proof.keystone import Login
from multisite.identity.proof.verify import verify
from multisite.identity.topology.model import Topology


@pytest.fixture
def topology() -> Topology:
    """The lab's identity as a topology file would have it."""
    return star()


def test_all_pairs_are_proven(topology: Topology, tmp_path: Path) -> None:
    proven(topology, tmp_path)


def test_without_the_region_services_ask_other_sites_and_it_says_so(topology: Topology) -> None:
    found = verify(topology, Login("admin", passwords().admin), by_region=False)
    assert found.inter_site > 0
    assert found.in_sync is False
    assert any("set region_name" in finding.remedy for finding in found.findings)
