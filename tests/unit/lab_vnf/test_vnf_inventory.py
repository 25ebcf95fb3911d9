"""Which resource belongs to which application."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from multisite_lab import vnf
from multisite_lab.guest.console import Record
from multisite_lab.model import LabError
from multisite_lab.vnf import inventory
from multisite_lab.vnf.deploy import _Plan


def thing(id: str, name: str = "", **more: Any) -> SimpleNamespace:
    return SimpleNamespace(id=id, name=name, **more)


def resources() -> inventory.Resources:
    found: inventory.Resources = {kind: [] for kind in inventory.LISTERS}
    found["server"] = [
        thing("s2", "vnf-2", metadata={"vnf": "vnf", "boot_order": "2"}, instance_name="i2", addresses={}),
        thing(
            "s1",
            "vnf-1",
            metadata={"vnf": "vnf", "boot_order": "1"},
            instance_name="i1",
            addresses={"n": [{"addr": "10.10.0.11"}]},
        ),
        thing("x1", "other-1", metadata={}, instance_name="i3", addresses={}),
    ]
    attached = [{"server_id": "s1", "device": "/dev/vdb"}]
    found["volume"] = [
        thing("d1", "restored 77", attachments=attached, metadata={}, group_id=None),
        thing(
            "r1",
            "vnf-1-root",
            attachments=[{"server_id": "s1", "device": "/dev/vda"}],
            metadata={"vnf": "vnf"},
            group_id="g",
        ),
        thing("xv", "vnfx-root", attachments=[], metadata={}, group_id=None),
    ]
    found["port"] = [
        thing("p1", "", device_id="s1"),
        thing("p9", "", device_id="x1"),
        thing("p2", "vnf-2-data", device_id=""),
    ]
    found["snapshot"] = [
        thing("sn", "kept", volume_id="d1", metadata={}),
        thing("xs", "kept", volume_id="xv", metadata={}),
    ]
    found["group"] = [thing("g", "", metadata={})]
    found["group snapshot"] = [thing("gs", "", group_id="g")]
    found["backup"] = [thing("b", "vnf-1-root", metadata={})]
    found["network"] = [thing("n", "vnf-data"), thing("xn", "vnfx")]
    return found


def ids(found: inventory.Resources) -> dict[str, set[str]]:
    return {kind: {row.id for row in rows} for kind, rows in found.items() if rows}


def test_what_hangs_on_a_part_is_a_part() -> None:
    assert ids(inventory.parts(resources(), "vnf")) == {
        "server": {"s1", "s2"},
        "port": {"p1", "p2"},
        "volume": {"d1", "r1"},
        "snapshot": {"sn"},
        "group": {"g"},
        "group snapshot": {"gs"},
        "network": {"n"},
    }


def test_another_name_that_begins_alike_is_another_application() -> None:
    assert "xv" not in ids(inventory.parts(resources(), "vnf"))["volume"]
    assert ids(inventory.parts(resources(), "vnfx")) == {
        "volume": {"xv"},
        "snapshot": {"xs"},
        "network": {"xn"},
    }


def test_servers_come_in_their_boot_order_with_root_before_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "connect", lambda _cloud: None)
    monkeypatch.setattr(inventory, "everything", lambda _connection: resources())
    found = inventory.find("site1", "vnf")
    assert found is not None
    first, second = found.servers
    assert (first.name, first.root, first.data, first.addresses) == ("vnf-1", "r1", "d1", {"n": "10.10.0.11"})
    assert second.name == "vnf-2"
    assert inventory.find("site1", "nobody") is None


def test_addresses_are_known_before_anything_exists() -> None:
    plan = _Plan("vnf", 3)
    assert plan.address("data", 1) == "10.10.0.11"
    assert plan.address("mgmt", 3) == "10.20.0.13"
    macs = {plan.mac(network, i) for network in ("data", "mgmt") for i in (1, 2, 3)}
    assert len(macs) == 6
    assert all(mac.startswith("fa:16:3e:") and len(mac) == 17 for mac in macs)


def test_a_name_that_could_be_a_part_of_another_is_refused() -> None:
    with pytest.raises(LabError, match="small letters"):
        vnf.deploy("site1", "vnf-2")


def test_a_proof_needs_the_same_record_with_the_same_sum() -> None:
    proof = vnf.Proof("vnf-1", True, 7, 42, "clean")
    assert proof.matches(Record(7, 42))
    assert not proof.matches(Record(7, 43))
    assert not vnf.Proof("vnf-1", False, 7, 42, "clean").matches(Record(7, 42))


def test_a_proof_is_read_from_a_console() -> None:
    text = "GUEST-INIT up=1\nGUEST-ROOT /dev/vda2 journal=clean\n"
    text += "GUEST-VERIFY root=7 data=7 rbad=0 dbad=0 diff=0 consistent=yes sum=42 checked=9\n"
    assert vnf.proof("site2", "id", text, name="vnf-1") == vnf.Proof("vnf-1", True, 7, 42, "clean")
    assert vnf.expected("site1", "id", text + "GUEST-FREEZE seq=9 sum=5\n") == Record(9, 5)
    assert vnf.marked_record("GUEST-FREEZE seq=9 sum=5") == 9
    with pytest.raises(LabError, match="GUEST-VERIFY"):
        vnf.proof("site2", "id", "", name="vnf-1")
