"""``openstack multisite network ...`` through the real shell."""

from __future__ import annotations

import pytest

from multisite.domain.findings import Finding, unknown
from osc.cloud import Cloud
from osc.conftest import Openstack

STRETCH = ["core", "--site", "paris", "--site", "lyon", "--cidr", "10.30.0.0/24"]


def test_stretch_previews_starts_and_shows(openstack: Openstack, cloud: Cloud) -> None:
    seen = openstack("network", "stretch", *STRETCH, "--preview")
    assert seen.code == 0
    assert "create network core at paris" in seen.out
    assert len(cloud.services.networks.items) == 2, "nothing was made"
    made = openstack("network", "stretch", *STRETCH, "--no-wait", "-f", "json")
    assert (made.code, made.json["name"], made.json["segmentation_id"]) == (0, "core", 5000)


def test_what_is_in_the_way_is_status_2(openstack: Openstack, cloud: Cloud) -> None:
    openstack("site", "register", "oslo", "--cloud", "oslo")
    refused = openstack(
        "network", "stretch", "core", "--site", "oslo", "--site", "lyon", "--cidr", "10.3.0.0/24"
    )
    assert refused.code == 2
    assert "BLOCKING: site oslo: extension: it has no extension (remedy: install it)" in refused.out
    assert not [r for r in cloud.requests if r.startswith("POST /v1/stretched-networks ")]


def test_options_become_the_order(openstack: Openstack, cloud: Cloud) -> None:
    words = (
        "--pool",
        "paris=10.30.0.1-10.30.0.9",
        "--adopt",
        "lyon=data",
        "--gateway",
        "paris",
        "--dhcp",
        "none",
    )
    assert openstack("network", "stretch", *STRETCH, *words, "--preview").code == 0
    bad = openstack("network", "stretch", *STRETCH, "--pool", "paris=10.30.0.1")
    assert (bad.code, "--pool 10.30.0.1: must be" in bad.err) == (1, True)


def test_show_tells_each_port_and_its_age(openstack: Openstack, cloud: Cloud) -> None:
    shown = openstack("network", "show", "hb")
    assert shown.code == 0
    assert "in-sync" in shown.out
    assert "172.31.0.1" in shown.out
    cloud.services.networks.lost = "paris"
    lost = openstack("network", "show", "hb")
    assert "paris: UNKNOWN (gone), last seen" in lost.out
    machine = openstack("network", "show", "hb", "-f", "json").json
    assert [port["state"] for port in machine["ports"]] == ["unknown"]


@pytest.mark.parametrize(("lost", "code"), [(None, 0), ("paris", 2)])
def test_reconcile_says_whether_all_is_in_step(
    openstack: Openstack, cloud: Cloud, lost: str | None, code: int
) -> None:
    cloud.services.networks.lost = lost
    assert openstack("network", "reconcile", "hb").code == code


def test_check(openstack: Openstack, cloud: Cloud) -> None:
    assert openstack("network", "check", "hb").code == 0
    cloud.services.networks.problems = [Finding("lyon", "mtu", "it is 1400", "", "set it back")]
    found = openstack("network", "check", "hb")
    assert (found.code, "it is 1400" in found.out, "mtu" in found.out) == (1, True, True)
    cloud.services.networks.problems = [unknown("lyon", "no route", "nothing is changed there")]
    assert openstack("network", "check", "hb").code == 2


def test_list_and_unstretch(openstack: Openstack, cloud: Cloud) -> None:
    rows = openstack("network", "list", "-f", "json").json
    assert {row["Name"] for row in rows} == {"hb"}
    assert (
        openstack("network", "unstretch", "hb", "--keep-networks", "--without", "lyon", "--no-wait").code == 0
    )
