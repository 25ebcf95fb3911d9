"""Servers and what they need at a target, beyond what whole recoveries show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds import build, resources
from multisite.clouds.build import WantedServer
from multisite.clouds.errors import ConflictInSite, Failed
from multisite.clouds.resources import lifecycle
from multisite.domain.manifest import FlavorRecord, KeypairRecord, ServerGroupRecord
from tests.unit.recovery.recover_fakes import FakeTarget

TOKEN = "multisite:job-1:server-1"
KEYPAIR = KeypairRecord("ops", "ssh-ed25519 AAAA me@here")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    monkeypatch.setattr(lifecycle, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(lifecycle, "LIST_LAG_SECONDS", 0.0)
    fake = FakeTarget()
    for volume in ("v1", "v2", "v3"):
        fake.rows["volumes"][volume] = {"id": volume, "status": "available"}
    for port in ("p1", "p2"):
        fake.rows["ports"][port] = {"id": port, "network_id": "n", "tags": []}
    return fake


WANTED = WantedServer("web", "f1", ("p1", "p2"), ("v2", "v1", "v3"))


def boot(target: FakeTarget, wanted: WantedServer = WANTED, **more: Any) -> dict[str, Any]:
    server_id = build.ensure_server(target.as_site(), TOKEN, wanted, timeout=5, **more)
    return target.rows["servers"][server_id]


def test_disks_and_nics_in_the_order_given(target: FakeTarget) -> None:
    made = boot(target)
    disks = made["block_device_mapping_v2"]
    assert [(d["uuid"], d["boot_index"]) for d in disks] == [("v2", 0), ("v1", -1), ("v3", -1)]
    assert not any(d["delete_on_termination"] for d in disks)
    assert made["networks"] == [{"port": "p1"}, {"port": "p2"}]
    devices = build.attached_devices(target.as_site(), made["id"])
    assert devices == {"v2": "/dev/vda", "v1": "/dev/vdb", "v3": "/dev/vdc"}


def test_only_what_is_known_is_said(target: FakeTarget) -> None:
    made = boot(target, replace(WANTED, port_ids=(), hostname="web", user_data="I2E="))
    assert made["networks"] == "none"
    assert (made["hostname"], made["user_data"]) == ("web", "I2E=")
    assert not {"key_name", "availability_zone", "description"} & made.keys()
    assert made["os:scheduler_hints"] is None


def test_found_again(target: FakeTarget) -> None:
    assert boot(target) is boot(target)
    assert target.boots == ["web"]


def test_one_in_error_is_replaced_and_its_parts_stay(target: FakeTarget) -> None:
    target.boot_status = "ERROR"
    with pytest.raises(Failed, match="server web: ended as ERROR"):
        boot(target)
    target.boot_status = "ACTIVE"
    assert boot(target)["status"] == "ACTIVE"
    assert len(target.rows["servers"]) == 1
    assert len(target.rows["volumes"]) == 3


def test_one_that_cannot_be_deleted_is_said(target: FakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_ERROR_POLLS", 0)
    made = boot(target)
    made["status"] = "ERROR"
    monkeypatch.setattr(target, "compute", _DeletesNothing(target.compute))
    with pytest.raises(Failed, match="delete server"):
        build.remove_server(target.as_site(), made["id"], timeout=5)


class _DeletesNothing:
    """A Nova that accepts to delete a server and then cannot."""

    def __init__(self, nova: Any) -> None:
        self._nova = nova

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nova, name)

    def delete(self, path: str) -> None:
        """Accepted."""


def test_key_pairs_are_told_apart_by_the_key(target: FakeTarget) -> None:
    site = target.as_site()
    assert build.ensure_keypair(site, KEYPAIR, "ops") == "ops"
    same = replace(KEYPAIR, public_key="ssh-ed25519 AAAA another comment")
    assert build.ensure_keypair(site, same, "ops") == "ops"
    other = replace(KEYPAIR, public_key="ssh-ed25519 BBBB")
    with pytest.raises(ConflictInSite, match="another public key"):
        build.ensure_keypair(site, other, "ops")
    build.remove_keypair(site, other, "ops")
    assert list(target.rows["keypairs"]) == ["ops"]
    build.remove_keypair(site, KEYPAIR, "ops")
    build.remove_keypair(site, KEYPAIR, "ops")
    assert target.rows["keypairs"] == {}


def test_flavors_with_their_extra_specs(target: FakeTarget) -> None:
    record = FlavorRecord("f", "big", 2, 512, 10, 1, 64, {"hw:cpu_policy": "dedicated"})
    made = [build.ensure_flavor(target.as_site(), TOKEN, record, "big") for _ in range(2)]
    (row,) = target.rows["flavors"].values()
    assert made == [row["id"]] * 2
    assert (row["vcpus"], row["ram"], row["OS-FLV-EXT-DATA:ephemeral"], row["swap"]) == (2, 512, 1, 64)
    assert ("POST", f"/flavors/{row['id']}/os-extra_specs") in target.calls
    assert resources.remove(target.as_site(), "flavor", TOKEN) == 1


def test_server_groups_are_found_by_the_mark_in_their_name(target: FakeTarget) -> None:
    record = ServerGroupRecord("g", "apart", "anti-affinity")
    made = [build.ensure_server_group(target.as_site(), TOKEN, record) for _ in range(2)]
    (row,) = target.rows["server_groups"].values()
    assert made == [row["id"]] * 2
    assert row["name"].startswith("apart-ms-")
    assert row["policy"] == "anti-affinity"
    assert resources.remove(target.as_site(), "server_group", TOKEN, row["id"]) == 1
