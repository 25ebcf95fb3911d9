"""Every check, on every pair of sites there is."""

from __future__ import annotations

import pytest

from tests.contract.sites import (
    checks_backups,
    checks_images,
    checks_ledger,
    checks_managed,
    checks_networks,
    checks_planes,
    checks_remote_ports,
    checks_routers,
    checks_servers,
    checks_trunks,
    checks_volumes,
)
from tests.contract.sites.pair import Check, Pair

CHECKS = (
    *checks_volumes.CHECKS,
    *checks_backups.CHECKS,
    *checks_managed.CHECKS,
    *checks_servers.CHECKS,
    *checks_images.CHECKS,
    *checks_networks.CHECKS,
    *checks_trunks.CHECKS,
    *checks_remote_ports.CHECKS,
    *checks_planes.CHECKS,
    *checks_routers.CHECKS,
    *checks_ledger.CHECKS,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_site_behaves(pair: Pair, check: Check) -> None:
    with pair.checking():
        check(pair)
