"""Links between the sites that are cut, and long ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests
from real_identity import ENTRY, in_step, login, passwords, running_service, token, until, url

from multisite_lab import sites
from multisite_lab.model import ALL_SITES
from multisite_lab.star import entry, layout, sql

ONE_WAY = 40.0
RTO = 15.0


def test_a_site_that_is_cut_off_validates_on(tmp_path: Path) -> None:
    """With what it knew: nobody can tell it of anything newer."""
    with running_service(tmp_path, "site3") as service:
        subject = token()
        assert service.takes(subject)
        sites.cut("site3")
        with pytest.raises(requests.ConnectionError):
            requests.get(service.url, timeout=5)
        time.sleep(layout.STALE_AFTER + 8)
        inside = [
            "curl",
            "-s",
            "-m",
            "20",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            f"X-Auth-Token: {subject}",
        ]
        assert sites.exec_in("site3", [*inside, service.url]).stdout == "200"
        # The masters have their majority without it, and are asked on.
        assert token(ENTRY)
        sites.reconnect("site3")
    until(in_step, "the copies have caught up", 60)


def test_a_master_that_is_cut_off_loses_its_majority_and_comes_back_by_itself() -> None:
    node = layout.node_of_master(ALL_SITES["site1"])
    sites.cut("site1")
    until(
        lambda: sql.status(node).get("wsrep_cluster_status") == "non-Primary", "site 1 without a majority", 40
    )
    until(lambda: entry.servers() == {"site1": "DOWN", "site2": "UP"}, "the entry asks site 2", 20)
    # Site 2 and the arbitrator may still be agreeing that they are the majority; until then it takes no query (1047).
    member = passwords().member
    took = until(lambda: login(ENTRY, "member", member, "vnf").status_code == 201, "a token", RTO)
    print(f"\na token {took:.1f} s after site 2 is the only one asked")
    sites.reconnect("site1")
    until(
        lambda: sql.status(node).get("wsrep_cluster_status") == "Primary", "site 1 again in the majority", 60
    )
    until(in_step, "all in step", 60)
    until(lambda: entry.servers() == {"site1": "UP", "site2": "UP"}, "both masters in the entry", 30)


def test_a_long_link_delays_and_nothing_else() -> None:
    def round_trip() -> float:
        began = time.monotonic()
        requests.get(f"http://{ALL_SITES['site3'].management}:{layout.CHECK_PORT}/", timeout=10)
        return (time.monotonic() - began) * 1000 / 2  # a handshake and a request

    assert min(round_trip() for _ in range(5)) < ONE_WAY  # the control
    sites.delay("site3", ONE_WAY)
    assert 2 * ONE_WAY <= min(round_trip() for _ in range(5)) < 4 * ONE_WAY
    assert token(url("site3"))
    until(in_step, "the copies follow over the long link", 30)
