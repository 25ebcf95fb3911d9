"""``openstack multisite network ...`` through the real shell."""

from __future__ import annotations

import re

import pytest
from api.setup import MINE

from multisite.command.wiring import myself
from multisite_lab.sim.neutron.remote_ports import hosts
from osc.changes import boot, shrink
from osc.cloud import Cloud
from osc.conftest import Openstack, Result
from tests.sim import deploy

STRETCH = ["core", "--site", "paris", "--site", "lyon", "--cidr", "10.30.0.0/24"]


def test_stretch_previews_starts_and_shows(openstack: Openstack, cloud: Cloud) -> None:
    seen = openstack("network", "stretch", *STRETCH, "--preview")
    assert seen.code == 0
    assert "create network core at paris" in seen.out
    assert len(cloud.services.networks.list(myself())) == 2, "nothing was made"
    made = openstack("network", "stretch", *STRETCH, "--no-wait", "-f", "json")
    assert (made.code, made.json["name"], made.json["segmentation_id"]) == (0, "core", 5002)


def in_sync(openstack: Openstack, verb: str) -> Result:
    """Its first answer with status 0: a question to a site that the test before had lost may still be out."""

    def seen() -> Result | None:
        found = openstack("network", verb, "hb")
        return found if found.code == 0 else None

    return deploy.until(seen, f"network {verb} finds all in sync", 30)


def test_what_is_in_the_way_is_status_2(openstack: Openstack, cloud: Cloud) -> None:
    openstack("site", "register", "oslo", "--cloud", "oslo")
    openstack("project", "grant", "create", MINE, "oslo", cloud.services.cloud("lyon").project_id)
    cloud.services.world.sites["lyon"].sim.settings.remote_port = False  # oslo is in the same place
    refused = openstack(
        "network", "stretch", "core", "--site", "oslo", "--site", "lyon", "--cidr", "10.3.0.0/24"
    )
    assert refused.code == 2
    said = "BLOCKING: site oslo: extension: its Neutron has no extension remote-port"
    assert said in refused.out, refused.out
    assert "remedy: " in refused.out.partition(said)[2]
    assert not [r for r in cloud.requests if r.startswith("POST /v1/stretched-networks ")]


def test_options_become_the_order(openstack: Openstack, cloud: Cloud) -> None:
    words = (
        "--pool",
        "paris=10.30.0.2-10.30.0.9",
        "--pool",
        "lyon=10.30.0.10-10.30.0.99",
        "--adopt",
        "lyon=data",
        "--gateway",
        "paris",
        "--dhcp",
        "none",
    )
    lyon = cloud.services.cloud("lyon")
    data = {
        "name": "data",
        "provider:network_type": "vxlan",
        "provider:segmentation_id": 4321,
    }  # free in paris
    id = deploy.ask(lyon.network, "POST", "/networks", {"network": data})["network"]["id"]
    subnet = {"network_id": id, "ip_version": 4, "cidr": "10.30.0.0/24", "gateway_ip": "10.30.0.1"}
    deploy.ask(lyon.network, "POST", "/subnets", {"subnet": subnet})
    seen = openstack("network", "stretch", *STRETCH, *words, "--preview")
    assert seen.code == 0, seen.out
    bad = openstack("network", "stretch", *STRETCH, "--pool", "paris=10.30.0.1")
    assert (bad.code, "--pool 10.30.0.1: must be" in bad.err) == (1, True)


def test_show_tells_each_port_and_its_age(openstack: Openstack, cloud: Cloud) -> None:
    boot(cloud, "hb")
    shown = openstack("network", "show", "hb")
    assert shown.code == 0
    assert "in-sync" in shown.out
    assert hosts(cloud.services.world.sites["paris"].sim)["paris"] in shown.out
    cloud.services.world.lose("paris")
    lost = openstack("network", "show", "hb")
    assert re.search(r"paris: UNKNOWN \(.*\), last seen", lost.out)
    machine = openstack("network", "show", "hb", "-f", "json").json
    assert [port["state"] for port in machine["ports"]] == ["unknown"]


@pytest.mark.parametrize(("lost", "code"), [(None, 0), ("paris", 2)])
def test_reconcile_says_whether_all_is_in_step(
    openstack: Openstack, cloud: Cloud, lost: str | None, code: int
) -> None:
    if lost:
        cloud.services.world.lose(lost)
    seen = openstack("network", "reconcile", "hb") if lost else in_sync(openstack, "reconcile")
    assert seen.code == code, seen.out


def test_check(openstack: Openstack, cloud: Cloud) -> None:
    assert in_sync(openstack, "check").code == 0
    shrink(cloud, "hb")
    found = openstack("network", "check", "hb")
    assert (found.code, "it is 1400" in found.out, "mtu" in found.out) == (1, True, True)
    cloud.services.world.lose("lyon")
    assert openstack("network", "check", "hb").code == 2


def test_list_and_unstretch(openstack: Openstack, cloud: Cloud) -> None:
    rows = openstack("network", "list", "-f", "json").json
    assert {row["Name"] for row in rows} == {"hb", "hb-theirs"}
    assert (
        openstack("network", "unstretch", "hb", "--keep-networks", "--without", "lyon", "--no-wait").code == 0
    )
