"""Commands of addresses, L3 paths and probes, through the real shell."""

from __future__ import annotations

import socket

import pytest

from multisite.command.wiring import myself
from osc.changes import held_twice, widen
from osc.cloud import Cloud
from osc.conftest import Openstack

MEMBERS = ["--member", "paris=p-1", "--member", "lyon=p-2@ext"]


def test_addresses(openstack: Openstack, cloud: Cloud) -> None:
    made = openstack("address", "create", "sgw", "--address", "203.0.113.9", *MEMBERS, "-f", "json")
    assert made.code == 0, made.err
    (ext,) = (n for n in cloud.services.world.sites["lyon"].sim.state.networks.values() if n["name"] == "ext")
    assert (made.json["active_site"], made.json["members"][1]["network_id"]) == ("paris", ext["id"])
    assert (made.json["state"], made.json["history"][0]["why"]) == ("held", "create")
    listed = openstack("address", "list", "-f", "json").json
    assert {row["Name"] for row in listed} == {"gw", "gw-theirs", "sgw"}
    shown = openstack("address", "show", "203.0.113.9")
    assert "every other site was seen to have let go" in shown.out
    assert openstack("address", "delete", "sgw").code == 0
    assert made.json["id"] not in {found.id for found in cloud.services.addresses.list(myself())}
    assert not cloud.services.outside.carried("203.0.113.9")


def test_a_move_says_who_is_fenced(openstack: Openstack, cloud: Cloud) -> None:
    refused = openstack("address", "move", "gw", "--to", "paris")
    assert refused.code == 1
    assert "paris holds it already" in refused.err
    cloud.services.world.lose("paris")
    refused = openstack("address", "move", "gw", "--to", "lyon")
    assert (refused.code, "paris may still answer for it" in refused.err) == (1, True)
    moved = openstack(
        "address", "move", "gw", "--to", "lyon", "--fenced", "paris", "--why", "fire", "-f", "json"
    )
    assert moved.code == 0, moved.err
    assert (moved.json["active_site"], moved.json["epoch"]) == ("lyon", 2)
    assert [(e["site"], e["why"]) for e in moved.json["history"]] == [("paris", "create"), ("lyon", "fire")]
    approved = [record for record in cloud.services.audit.list() if record.action == "fenced"]
    assert [(record.site, record.user) for record in approved] == [("paris", "olga")]


def test_check_tells_programs_too(openstack: Openstack, cloud: Cloud) -> None:
    assert openstack("address", "check", "gw").code == 0
    held_twice(cloud)
    found = openstack("address", "check", "gw")
    assert found.code == 1
    assert "paris and lyon hold it at the same time; the record says paris" in found.out
    cloud.services.world.lose("lyon")
    unknown = openstack("address", "check", "gw")
    assert unknown.code == 2
    assert "unknown: site lyon: it does not tell what it has" in unknown.out


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
    assert made.json["state"] == "ready"
    assert "multisite-probe udp:5000 203.0.113.103" in openstack("path", "show", "sync").out
    assert openstack("path", "check", "sync", "-f", "json").json["in_sync"] is True
    widen(cloud, "sync")
    drifted = openstack("path", "check", "sync")
    assert drifted.code == 1
    assert "lyon: rule too wide: the path's group also lets in udp from anybody" in drifted.out
    assert "(remedy: openstack security group rule delete wide)" in drifted.out
    assert {row["Name"] for row in openstack("path", "list", "-f", "json").json} == {
        "heartbeat",
        "heartbeat-theirs",
        "sync",
    }
    assert openstack("path", "delete", "sync").code == 0
    assert made.json["id"] not in {found.id for found in cloud.services.paths.list(myself())}


def test_a_probe_from_the_service_and_from_here(openstack: Openstack, cloud: Cloud) -> None:
    pace = ("--count", "4", "--interval", "0.02", "--timeout", "0.1")
    asked = openstack("probe", "gw", *pace, "-f", "json")
    assert (asked.code, asked.json["address"], asked.json["loss"]) == (0, "203.0.113.5", 0.0)
    cloud.services.outside.loses = {1}
    assert openstack("probe", "203.0.113.5", *pace, "-f", "json").json["loss"] == 0.25
    assert openstack("probe", "203.0.113.5", *pace).code == 1
    with socket.create_server(("127.0.0.1", 0)) as server:
        way = f"tcp:{server.getsockname()[1]}"
        here = openstack(
            "probe", "127.0.0.1", "--here", "--way", way, "--count", "3", "--interval", "0.05", "-f", "json"
        )
    assert (here.code, here.json["received"]) == (0, 3)
