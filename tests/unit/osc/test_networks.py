"""Commands of addresses, L3 paths and probes, through the real shell."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from multisite.domain.moving_address import Verdict
from osc.cloud import Cloud
from osc.conftest import Openstack

MEMBERS = ["--member", "paris=p-1", "--member", "lyon=p-2@public"]


def test_addresses(openstack: Openstack, cloud: Cloud) -> None:
    made = openstack("address", "create", "sgw", "--address", "203.0.113.9", *MEMBERS, "-f", "json")
    assert made.code == 0, made.err
    assert (made.json["active_site"], made.json["members"][1]["network_id"]) == ("paris", "public")
    assert made.json["history"][0]["why"] == "create"
    listed = openstack("address", "list", "-f", "json").json
    assert {row["Name"] for row in listed} == {"gw", "sgw"}
    shown = openstack("address", "show", "203.0.113.9")
    assert "every other site was seen to have let go" in shown.out
    assert openstack("address", "delete", "sgw").code == 0
    assert made.json["id"] not in cloud.services.addresses.items


def test_a_move_says_who_is_fenced(openstack: Openstack, cloud: Cloud) -> None:
    moved = openstack(
        "address", "move", "gw", "--to", "lyon", "--fenced", "paris", "--why", "fire", "-f", "json"
    )
    assert moved.code == 0, moved.err
    assert (moved.json["active_site"], moved.json["epoch"]) == ("lyon", 2)
    assert cloud.services.addresses.asked == [("lyon", ("paris",), "fire")]
    refused = openstack("address", "move", "gw", "--to", "lyon")
    assert refused.code == 1
    assert "holds it already" in refused.err


def test_check_tells_programs_too(openstack: Openstack, cloud: Cloud) -> None:
    assert openstack("address", "check", "gw").code == 0
    cloud.services.addresses.verdict = Verdict.TWICE
    found = openstack("address", "check", "gw")
    assert found.code == 1
    assert "unknown: site lyon: it does not tell what it has: no route" in found.out
    cloud.services.addresses.verdict = Verdict.UNKNOWN
    assert openstack("address", "check", "gw").code == 2


@pytest.mark.parametrize("member", ["paris", "paris=", "=p-1"])
def test_members_are_site_and_port(openstack: Openstack, member: str) -> None:
    answer = openstack("address", "create", "x", "--address", "203.0.113.9", "--member", member)
    assert answer.code == 1
    assert "<site>=<port>" in answer.err


def test_paths(openstack: Openstack, cloud: Cloud) -> None:
    ends = ["--end", "paris=p-1", "--end", "lyon=p-2"]
    made = openstack("path", "create", "sync", *ends, "--allow", "udp:5000", "-f", "json")
    assert made.code == 0, made.err
    assert made.json["lets_in"] == "udp 5000"
    assert "multisite-probe udp:5000 203.0.113.101" in openstack("path", "show", "sync").out
    assert openstack("path", "check", "sync", "-f", "json").json["in_sync"] is True
    cloud.services.paths.drifted()
    drifted = openstack("path", "check", "sync")
    assert drifted.code == 1
    assert "lyon: rule too wide: udp 5000 from anybody (remedy: delete that rule)" in drifted.out
    assert {row["Name"] for row in openstack("path", "list", "-f", "json").json} == {"heartbeat", "sync"}
    assert openstack("path", "delete", "sync").code in (0, 1)
    assert made.json["id"] not in cloud.services.paths.items


def test_a_probe_from_the_service_and_from_here(openstack: Openstack, cloud: Cloud) -> None:
    asked = openstack("probe", "gw", "-f", "json")
    assert (asked.code, asked.json["address"], asked.json["loss"]) == (0, "203.0.113.5", 0.0)
    cloud.services.probe.report = replace(cloud.services.probe.report, received=19, loss=0.05)
    assert openstack("probe", "203.0.113.5").code == 1
    with socket.create_server(("127.0.0.1", 0)) as server:
        way = f"tcp:{server.getsockname()[1]}"
        here = openstack(
            "probe", "127.0.0.1", "--here", "--way", way, "--count", "3", "--interval", "0.05", "-f", "json"
        )
    assert (here.code, here.json["received"]) == (0, 3)
