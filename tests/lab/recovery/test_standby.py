"""Warm standby on real sites: the newest restore point is kept restored, and a recovery of it restores nothing.

The tests of this module build on each other and run in their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite, open_site
from multisite_lab import sites, vnf
from multisite_lab.manager import Manager, running

NAME = "stb"
PORT = 8804
TARGET = ("--target-site", "site2", "--create-missing-flavors", "--ready-console", "GUEST-READY")
READY_SECONDS = 900.0


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running(tmp_path_factory.mktemp("standby"), port=PORT, register=("site1", "site2")) as made:
        yield made


@pytest.fixture(scope="module")
def protection(manager: Manager) -> Iterator[str]:
    """Of two servers that run in site 1; one restore point is kept."""
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)
    vnf.deploy("site1", NAME, servers=2)
    manager.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
    words = ("--method", "consistent-backup", "--target-site", "site2", "--console-mark", vnf.FREEZE_MARK)
    made = manager.cli("protection", "create", NAME, *words, "--standby", "1")
    yield str(made["id"])
    manager.cli("protection", "set", made["id"], "--standby", "0")
    until(manager, made["id"], "off")
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)


@pytest.fixture(scope="module")
def target() -> CloudSite:
    return open_site("site2", "site2", sites.clouds_yaml())


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """What earlier tests of this module found out."""
    return {}


def shown(manager: Manager, protection: str) -> dict[str, Any]:
    found: dict[str, Any] = manager.cli("protection", "show", protection)["standby_status"]
    return found


def until(manager: Manager, protection: str, word: str) -> dict[str, Any]:
    """The status once it has this state."""
    begun = time.monotonic()
    while (found := shown(manager, protection))["state"] != word:
        assert time.monotonic() - begun < READY_SECONDS, f"not {word} within {READY_SECONDS:.0f} s: {found}"
        time.sleep(2)
    print(f"standby {word} after {time.monotonic() - begun:.0f} s")
    return found


def kept(target: CloudSite) -> dict[str, Any]:
    """Volumes of site 2 that are marked as standbys, by id."""
    rows = resources.list_all(target, "volume")
    return {row["id"]: row for row in rows if "multisite_standby" in row["metadata"]}


def items(manager: Manager, point: str) -> list[str]:
    """What would become of each volume."""
    found = manager.cli("recovery", "preview", point, *TARGET, "--source-is-fenced")
    return [item["action"] for item in found["items"] if item["kind"] == "volume"]


def test_the_newest_restore_point_becomes_ready(
    manager: Manager, protection: str, target: CloudSite, story: dict[str, Any]
) -> None:
    for kind in ("--full", "--incremental"):
        story["point"] = manager.cli("protection", "run", protection, kind)["id"]
        said = until(manager, protection, "ready")
        assert story["point"] in [point["restore_point_id"] for point in said["points"]], said
    until_only(manager, protection, story["point"])
    volumes = kept(target)
    assert len(volumes) == 4, "two of each server, of the newest restore point alone"
    assert {row["status"] for row in volumes.values()} == {"available"}
    assert set(items(manager, story["point"])) == {"use"}


def until_only(manager: Manager, protection: str, point: str) -> None:
    """The older one is removed."""
    begun = time.monotonic()
    while [one["restore_point_id"] for one in shown(manager, protection)["points"]] != [point]:
        assert time.monotonic() - begun < READY_SECONDS, shown(manager, protection)
        time.sleep(2)


def test_cinder_moves_updated_at_for_whoever_attaches_and_for_nobody_else(
    manager: Manager, protection: str, target: CloudSite, story: dict[str, Any]
) -> None:
    """What the judgment of a volume rests on: a standby that nobody touches stays usable while time goes by."""
    before = {id: row["updated_at"] for id, row in kept(target).items()}
    time.sleep(90)
    assert {id: row["updated_at"] for id, row in kept(target).items()} == before
    one = min(before)
    path = f"/volumes/{one}/action"
    target.volume.post(path, json={"os-reserve": {}})
    target.volume.post(path, json={"os-unreserve": {}})
    assert resources.read(target, "volume", one)["updated_at"] != before[one]
    assert sorted(items(manager, story["point"])) == ["restore", "use", "use", "use"]
    until_all_used(manager, story["point"])


def test_a_volume_deleted_by_hand_is_restored_anew(
    manager: Manager, protection: str, target: CloudSite, story: dict[str, Any]
) -> None:
    gone = min(kept(target))
    resources.delete_one(target, "volume", gone)
    until_all_used(manager, story["point"])
    assert gone not in kept(target)


def until_all_used(manager: Manager, point: str) -> None:
    begun = time.monotonic()
    while set(items(manager, point)) != {"use"}:
        assert time.monotonic() - begun < READY_SECONDS, items(manager, point)
        time.sleep(10)


def test_a_recovery_takes_the_volumes_over_with_their_data(
    manager: Manager, protection: str, target: CloudSite, story: dict[str, Any]
) -> None:
    before = set(kept(target))
    sites.kill("site1")
    try:
        words = ("recovery", "start", story["point"], *TARGET, "--source-is-fenced", "--yes-recover", NAME)
        found = manager.cli(*words)
        assert found["state"] == "done", found
        print(f"RTO of the promotion: {found['rto_seconds']} s")
        attached = {row["id"] for row in resources.list_all(target, "volume") if row["attachments"]}
        assert attached == before, "the servers have the very volumes that were kept"
        for server in vnf.servers("site2", NAME):
            proof = vnf.proof("site2", server.id, timeout=120)
            assert proof.consistent, proof
        manager.cli("recovery", "undo", found["id"])
    finally:
        sites.start("site1")
    assert not before & {row["id"] for row in resources.list_all(target, "volume")}
