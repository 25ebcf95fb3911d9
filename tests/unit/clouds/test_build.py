"""Servers and what they need at a target, beyond what whole recoveries show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds import build, resources
from multisite.clouds.build import WantedServer
from multisite.clouds.errors import ConflictInSite, Failed
from multisite.clouds.resources import lifecycle
from multisite.domain.manifest import KeypairRecord, ServerGroupRecord
from multisite_lab.sim.model import Server
from tests.unit.simulated import Sent, SimulatedSite, simulated_target

TOKEN = "multisite:job-1:server-1"
KEYPAIR = KeypairRecord("ops", "ssh-ed25519 AAAA me@here")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    made = simulated_target(monkeypatch)
    monkeypatch.setattr(lifecycle, "LIST_LAG_SECONDS", 0.0)
    made.sim.state.flavors["f1"] = made.flavor | {"id": "f1"}
    made.add_network("n")
    for volume in ("v1", "v2", "v3"):
        made.add_volume(volume, bootable=volume == "v2")
    for port in ("p1", "p2"):
        made.add_port(port, "n")
    return made


WANTED = WantedServer("web", "f1", ("p1", "p2"), ("v2", "v1", "v3"))


def boot(target: SimulatedSite, wanted: WantedServer = WANTED, **more: Any) -> Server:
    server_id = build.ensure_server(target.site, TOKEN, wanted, timeout=5, **more)
    return target.state.servers[server_id]


def test_disks_and_nics_in_the_order_given(target: SimulatedSite) -> None:
    made = boot(target)
    (asked,) = target.bodies("POST", "/servers")
    disks = asked["server"]["block_device_mapping_v2"]
    assert [(d["uuid"], d["boot_index"]) for d in disks] == [("v2", 0), ("v1", -1), ("v3", -1)]
    assert [d.volume_id for d in made.disks] == ["v2", "v1", "v3"]
    assert not any(d.delete_on_termination for d in made.disks)
    assert made.ports == ["p1", "p2"]
    devices = build.attached_devices(target.site, made.id)
    assert devices == {"v2": "/dev/vda", "v1": "/dev/vdb", "v3": "/dev/vdc"}


def test_only_what_is_known_is_said(target: SimulatedSite) -> None:
    made = boot(target, replace(WANTED, port_ids=(), hostname="web-host", user_data="I2E="))
    (asked,) = target.bodies("POST", "/servers")
    assert asked["server"]["networks"] == "none"
    assert (made.hostname, made.user_data, made.ports) == ("web-host", "I2E=", [])
    assert not {"key_name", "availability_zone", "description"} & asked["server"].keys()
    assert "os:scheduler_hints" not in asked


def test_found_again(target: SimulatedSite) -> None:
    assert boot(target) is boot(target)
    assert target.boots == ["web"]


def test_one_in_error_is_replaced_and_its_parts_stay(target: SimulatedSite) -> None:
    target.before = target.fail_builds
    with pytest.raises(Failed, match="server web: ended as ERROR"):
        boot(target)
    target.before = lambda sent: None
    assert boot(target).status == "ACTIVE"
    assert len(target.state.servers) == 1
    assert {v.status for v in target.state.volumes.values()} == {"in-use"}
    assert len(target.state.volumes) == 3


def test_one_that_cannot_be_deleted_is_said(target: SimulatedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_ERROR_POLLS", 0)
    made = boot(target)
    made.status, target.sim.settings.delete_server = "ERROR", 3600
    target.before = lambda sent: sent.method == "GET" and setattr(made, "task_state", None)
    with pytest.raises(Failed, match="delete server"):
        build.remove_server(target.site, made.id, timeout=5)
    assert [s.path for s in target.changes if s.method == "DELETE"] == [f"/servers/{made.id}"]


def test_a_member_removes_a_server_that_we_locked_and_no_other(target: SimulatedSite) -> None:
    made = boot(target)
    build.lock_server(target.site, made.id, "in service")
    assert (made.locked, made.locked_reason) == (True, "in service")
    with pytest.raises(ConflictInSite, match="is locked"):
        build.remove_server(target.member, made.id, timeout=5)
    build.remove_server(target.member, made.id, timeout=5, locked=True)
    build.remove_server(target.member, made.id, timeout=5, locked=True)
    assert not target.state.servers


def test_key_pairs_are_told_apart_by_the_key(target: SimulatedSite) -> None:
    site = target.site
    assert build.ensure_keypair(site, KEYPAIR, "ops")
    same = replace(KEYPAIR, public_key="ssh-ed25519 AAAA another comment")
    assert not build.ensure_keypair(site, same, "ops")  # it was there
    other = replace(KEYPAIR, public_key="ssh-ed25519 BBBB")
    with pytest.raises(ConflictInSite, match="another public key"):
        build.ensure_keypair(site, other, "ops")
    build.remove_keypair(site, other, "ops")
    assert target.left()["keypairs"] == ["ops"]
    build.remove_keypair(site, KEYPAIR, "ops")
    build.remove_keypair(site, KEYPAIR, "ops")
    assert target.state.keypairs == {}


def test_a_key_pair_made_by_another_at_the_same_moment_is_used(target: SimulatedSite) -> None:
    row = {"name": "ops", "public_key": KEYPAIR.public_key, "fingerprint": "0", "type": "ssh"}

    def other(sent: Sent) -> None:
        if sent.method == "POST":
            target.state.keypairs[target.account.user_id, "ops"] = row

    target.before = other
    assert not build.ensure_keypair(target.site, KEYPAIR, "ops")
    assert target.left()["keypairs"] == ["ops"]


def test_server_groups_are_found_by_the_mark_in_their_name(target: SimulatedSite) -> None:
    record = ServerGroupRecord("g", "apart", "anti-affinity")
    made = [build.ensure_server_group(target.site, TOKEN, record) for _ in range(2)]
    (row,) = target.state.server_groups.values()
    assert made == [row["id"]] * 2
    assert row["name"].startswith("apart-ms-")
    assert row["policy"] == "anti-affinity"
    assert resources.remove(target.site, "server_group", TOKEN, row["id"]) == 1
