"""Yes, no, and what may not be seen."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from multisite.clouds.capabilities import NAMES, discover, unknown
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Unreachable
from multisite.clouds.quotas import headroom
from multisite.domain.model import Capability, Known

from .conftest import KEYSTONE, FakeCloud

DENIED = {"forbidden": {"message": "Policy doesn't allow it.", "code": 403}}


def able_site(fake: FakeCloud) -> None:
    up = {"state": "up", "status": "enabled"}
    fake.json("GET", "compute", "/os-services", {"services": [{"binary": "nova-compute", **up}]})
    fake.json("GET", "compute", "/os-multisite-quiesce", {"multisite_quiesce": {"version": "1.0"}})
    binaries = ("cinder-volume", "cinder-backup", "cinder-scheduler")
    fake.json("GET", "block-storage", "/os-services", {"services": [{"binary": b, **up} for b in binaries]})
    types = [{"name": "rbd", "extra_specs": {"replication_enabled": "<is> True"}}]
    fake.json("GET", "block-storage", "/types", {"volume_types": types})
    groups = [{"name": "cg", "group_specs": {"consistent_group_snapshot_enabled": "<is> True"}}]
    fake.json("GET", "block-storage", "/group_types", {"group_types": groups})
    backups = [{"id": "b0", "status": "creating"}, {"id": "b1", "status": "available"}]
    fake.json("GET", "block-storage", "/backups/detail", {"backups": backups})
    record = {"backup_service": "cinder.backup.drivers.posix.PosixBackupDriver", "backup_url": "e30="}
    fake.json("GET", "block-storage", "/backups/b1/export_record", {"backup-record": record})
    agents = [{"binary": "neutron-openvswitch-agent", "alive": True, "admin_state_up": True}]
    fake.json("GET", "network", "/agents", {"agents": agents})
    aliases = ("standard-attr-tag", "port-security", "remote-port")
    extensions = [{"alias": a, "name": a} for a in aliases]
    fake.json("GET", "network", "/extensions", {"extensions": extensions})


def by_name(site: CloudSite) -> dict[str, Capability]:
    found = discover(site)
    assert tuple(c.name for c in found) == NAMES
    return {c.name: c for c in found}


def test_a_site_that_can_do_everything(fake: FakeCloud, site: CloudSite) -> None:
    able_site(fake)
    found = by_name(site)
    assert {n for n, c in found.items() if c.present is not Known.YES} == set()
    assert found["compute"].version == "2.96"
    assert found["block-storage"].version == "3.71"
    assert found["quiesce"].version == "1.0"
    assert "PosixBackupDriver" in found["backup-driver"].detail


def test_a_plain_site_seen_by_a_member(fake: FakeCloud, site: CloudSite) -> None:
    able_site(fake)
    fake.roles = ["member", "reader"]
    fake.json("GET", "compute", "/os-services", DENIED, 403)
    fake.json("GET", "compute", "/os-multisite-quiesce", {}, 404)
    fake.json("GET", "block-storage", "/os-services", DENIED, 403)
    fake.json("GET", "block-storage", "/types", {"volume_types": [{"name": "lvm", "extra_specs": {}}]})
    fake.json("GET", "block-storage", "/group_types", {"group_types": [{"name": "cg"}]})
    fake.json("GET", "block-storage", "/backups/detail", {"backups": []})
    fake.json("GET", "network", "/agents", {"agents": []})
    fake.json("GET", "network", "/extensions", {"extensions": []})
    found = by_name(site)
    assert {n for n, c in found.items() if c.present is Known.UNKNOWN} == {
        "compute-services",
        "volume-services",
        "backup",
        "backup-driver",
        "consistent-group-snapshot",
        "network-agents",
    }
    assert {n for n, c in found.items() if c.present is Known.NO} == {
        "admin",
        "quiesce",
        "volume-replication",
        "network-tags",
        "port-security",
        "remote-port",
    }
    assert "install multisite-nova" in found["quiesce"].detail
    assert "Policy doesn't allow" in found["compute-services"].detail


def test_services_that_are_down(fake: FakeCloud, site: CloudSite) -> None:
    able_site(fake)
    rows = [
        {"binary": "cinder-volume", "state": "down", "status": "enabled"},
        {"binary": "cinder-backup", "state": "up", "status": "disabled"},
    ]
    fake.json("GET", "block-storage", "/os-services", {"services": rows})
    found = by_name(site)
    assert found["volume-services"].present is Known.NO
    assert found["backup"].present is Known.NO
    assert "cinder-volume 0 of 1 up" in found["backup"].detail


def test_a_dead_service_is_unknown_and_asked_once(fake: FakeCloud, site: CloudSite) -> None:
    able_site(fake)
    gone = fake.mock.get("http://west.example/volume/v3/p1", exc=requests.exceptions.ConnectTimeout)
    found = by_name(site)
    assert found["block-storage"].present is Known.UNKNOWN
    assert found["backup"].present is Known.UNKNOWN
    assert "no connection in time" in found["backup"].detail
    assert found["compute"].present is Known.YES
    assert gone.call_count == 1


def test_a_service_that_is_not_there(fake: FakeCloud, site: CloudSite) -> None:
    able_site(fake)
    fake.missing.add("image")
    assert by_name(site)["image"].present is Known.NO


def test_a_service_that_is_too_old(fake: FakeCloud, site: CloudSite) -> None:
    able_site(fake)
    document: dict[str, Any] = {
        "id": "v2.1",
        "status": "CURRENT",
        "min_version": "2.1",
        "version": "2.79",
        "links": [{"rel": "self", "href": "http://west.example/compute/v2.1/"}],
    }
    for address in ("http://west.example/compute/v2.1", "http://west.example/compute/v2.1/"):
        fake.mock.get(address, json={"version": document})
    found = by_name(site)
    assert found["compute"].present is Known.NO
    assert "at least 2.90" in found["compute"].detail


def test_a_site_that_is_down(fake: FakeCloud, site: CloudSite) -> None:
    fake.mock.get(KEYSTONE, exc=requests.exceptions.ConnectTimeout)
    with pytest.raises(Unreachable):
        discover(site)
    assert {c.present for c in unknown("it is down")} == {Known.UNKNOWN}


def test_headroom(fake: FakeCloud, site: CloudSite) -> None:
    compute = {"id": "p1", "cores": {"limit": 20, "in_use": 18, "reserved": 1}, "ram": row(-1, 512)}
    volume = {
        "volumes": row(10, 12),
        "gigabytes": row(100, 0),
        "gigabytes_rbd": row(5, 1),
        "groups": row(1, 0),
    }
    network = {"port": {"limit": 500, "used": 2, "reserved": 0}}
    fake.json("GET", "compute", "/os-quota-sets/p1/detail", {"quota_set": compute})
    fake.json("GET", "block-storage", "/os-quota-sets/p1", {"quota_set": volume})
    fake.json("GET", "network", "/quotas/p1/details.json", {"quota": network})
    found = headroom(site)
    assert found["compute"]["cores"].free == 1
    assert found["compute"]["ram"].free is None
    assert found["block-storage"]["volumes"].free == 0
    assert found["block-storage"]["gigabytes_rbd"].free == 4
    assert found["network"]["port"].free == 498
    assert "backups" not in found["block-storage"]
    assert "groups" not in found["block-storage"]


def row(limit: int, used: int) -> dict[str, int]:
    return {"limit": limit, "in_use": used, "reserved": 0}
