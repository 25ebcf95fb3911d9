"""Recovering in a real site, with the faults an operator meets: each test leaves the target as it found it.

The application is one server of its own, and so is the manager: nothing here depends on other modules.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from multisite.clouds import build, flavors, resources
from multisite.clouds.connect import CloudSite, open_site
from multisite.domain.manifest import Manifest
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.signatures import ManifestKeys
from multisite_lab import paths, sites, vnf
from multisite_lab.manager import CommandFailed, Manager, running

NAME = "rec"
PORT = 8798
TARGET = ("--target-site", "site2", "--create-missing-flavors", "--source-is-fenced")


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running(tmp_path_factory.mktemp("recovery"), port=PORT, register=("site1", "site2")) as made:
        yield made


@pytest.fixture(scope="module")
def point(manager: Manager) -> Iterator[Manifest]:
    """A restore point of one server with two volumes and two ports."""
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)
    vnf.deploy("site1", NAME, servers=1)
    manager.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
    made = manager.cli(
        "protection",
        "create",
        NAME,
        "--method",
        "consistent-backup",
        "--target-site",
        "site2",
        "--console-mark",
        vnf.FREEZE_MARK,
    )
    found = manager.cli("protection", "run", made["id"], "--full")
    keys = ManifestKeys.at(manager.folder, trusted=str(paths.manifest_keys()))
    yield ManifestStore(paths.backup_store(), keys).read(found["id"])
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)


@pytest.fixture(scope="module")
def target() -> CloudSite:
    return open_site("site2", "site2", sites.clouds_yaml())


def begin(manager: Manager, point: Manifest, *options: str) -> dict[str, Any]:
    """Start a recovery and do not wait for it."""
    words = ("recovery", "start", point.id, *TARGET, *options, "--yes-recover", NAME, "--no-wait")
    started: dict[str, Any] = manager.cli(*words)
    return started


def job_of(manager: Manager, recovery: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = manager.cli("job", "show", recovery["job_id"])
    return job


def at_rest(manager: Manager, recovery: dict[str, Any]) -> dict[str, Any]:
    """The recovery once its job is at rest."""
    manager.show("job", "watch", recovery["job_id"], check=False)
    found: dict[str, Any] = manager.cli("recovery", "show", recovery["id"])
    return found


def undo(manager: Manager, target: CloudSite, recovery: dict[str, Any]) -> None:
    """Undo, and look that nothing it made is left at the target."""
    begun = time.monotonic()
    assert manager.cli("recovery", "undo", recovery["id"])["state"] == "undone"
    print(f"undone in {time.monotonic() - begun:.1f} s")
    assert [t for t in resources.find_of_job(target, recovery["job_id"]) if not kept(target, t)] == []
    assert of_the_application() == []


def kept(target: CloudSite, thing: resources.Found) -> bool:
    """A flavor stays while others use it."""
    return thing.kind == "flavor" and bool(flavors.flavor_users(target, thing.id))


def of_the_application() -> list[str]:
    """What the target has of the application, but for backup records."""
    named = [thing for thing in vnf.leftovers("site2") if f" {NAME}" in thing]
    return sorted(thing for thing in named if not thing.startswith("backup"))


def until(condition: Callable[[], object], seconds: float, what: str, pause: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(pause)


def restoring(target: CloudSite, recovery: dict[str, Any]) -> bool:
    """Whether Cinder is restoring volumes of this recovery, asked of Cinder."""
    found = resources.find_of_job(target, recovery["job_id"], ("volume",))
    return any(volume.status == "restoring-backup" for volume in found)


def test_each_obstacle_is_named_and_nothing_is_changed(manager: Manager, point: Manifest) -> None:
    cloud = vnf.connect("site2")
    obstacle = cloud.network.create_network(name=f"{NAME}-data")
    try:
        before = of_the_application()
        found = preview(manager, point)
        with pytest.raises(CommandFailed):
            manager.cli("recovery", "start", point.id, "--target-site", "site2", "--yes-recover", NAME)
        assert of_the_application() == before
    finally:
        cloud.network.delete_network(obstacle.id)
    blocking = [p for p in found["problems"] if p["severity"] == "blocking"]
    said = {p["kind"]: f"{p['what']}; {p['remedy']}" for p in blocking}
    assert obstacle.id in said[f"network {NAME}-data"]
    assert "the application is active there" in said["site site1"]
    if cloud.compute.find_flavor("t128", ignore_missing=True) is None:  # unless another recovery made it
        assert "openstack flavor create t128 --vcpus 1 --ram 128 --disk 1" in said["flavor t128"]
    assert manager.cli("recovery", "list") == []


def preview(manager: Manager, point: Manifest) -> dict[str, Any]:
    """Whether startable (exit status 0) or not (2)."""
    try:
        found = manager.cli("recovery", "preview", point.id, "--target-site", "site2")
    except CommandFailed as refused:
        if refused.code != 2:
            raise
        found = json.loads(refused.out)
    shown: dict[str, Any] = found
    return shown


def test_a_manager_killed_while_restoring_goes_on_where_it_was(
    manager: Manager, point: Manifest, target: CloudSite
) -> None:
    recovery = begin(manager, point, "--ready-console", "GUEST-READY")
    until(lambda: restoring(target, recovery), 300, "a volume is being restored")
    manager.kill()
    manager.start()
    found = at_rest(manager, recovery)
    job = job_of(manager, recovery)
    assert found["state"] == "done", found["error"]
    assert any("interrupted" in entry["message"] for entry in job["journal"])
    print(f"RTO {found['rto_seconds']:.1f} s, the manager's death included; RPO {found['rpo_seconds']:.1f} s")
    for step in job["steps"]:
        print(f"   {step['elapsed'] or 0:6.1f} s  {step['title']}")
    as_it_was(target, point, found)
    undo(manager, target, recovery)


def as_it_was(target: CloudSite, point: Manifest, found: dict[str, Any]) -> None:
    """One of each, with the source's addresses, MACs, devices and rules, and the data of that moment."""
    cloud = vnf.connect("site2")
    made = resources.find_of_job(target, found["job_id"])
    twice = ("volume", "port", "network", "subnet", "security_group")
    assert sorted(thing.kind for thing in made if thing.kind != "flavor") == sorted(
        ["server", "server_group", *twice, *twice]
    )
    (server,) = found["servers"]
    assert server["devices"] == {v.id: v.device for v in point.volumes}
    attached = build.attached_devices(target, server["id"])
    assert attached.keys() == {thing.id for thing in made if thing.kind == "volume"}
    assert set(attached.values()) == {"/dev/vda", "/dev/vdb"}
    ports = list(cloud.network.ports(device_id=server["id"]))
    assert {(p.mac_address, p.fixed_ips[0]["ip_address"], p.status) for p in ports} == {
        (p.mac_address, p.fixed_addresses[0].address, "ACTIVE") for p in point.ports
    }
    for record in point.subnets:
        (subnet,) = cloud.network.subnets(name=record.name, project_id=cloud.current_project_id)
        assert (subnet.cidr, subnet.is_dhcp_enabled, subnet.gateway_ip) == (record.cidr, True, None)
    for group in point.security_groups:
        (same,) = cloud.network.security_groups(name=group.name, project_id=cloud.current_project_id)
        assert len(same.security_group_rules) == len(group.rules)
    row = build.read_server(target, server["id"])
    assert row["key_name"] == NAME
    assert row["metadata"].items() >= point.servers[0].metadata.items()
    proof = vnf.proof("site2", server["id"], timeout=120)
    assert proof.consistent
    assert proof.matches(vnf.marked(point.marks[0].text)), (proof, point.marks)


def test_a_gate_that_is_not_passed_pauses_and_tells_what_the_console_said(
    manager: Manager, point: Manifest, target: CloudSite
) -> None:
    # Another volume type: then the volume is made empty first and restored into.
    gate = ("--ready-console", "NEVER-SAID", "--ready-timeout", "45")
    found = at_rest(manager, begin(manager, point, *gate, "--map", "volume-type:rbd=__DEFAULT__"))
    assert found["state"] == "paused"
    assert f"server {NAME}-1 at site2: not ready after 4" in found["error"]
    assert "no console line matches 'NEVER-SAID'; last console lines: " in found["error"]
    items = preview(manager, point)["items"]
    assert {i["action"] for i in items if i["kind"] == "backup record"} == {"use"}
    undo(manager, target, found)


def test_cancelled_while_restoring_it_can_be_undone(
    manager: Manager, point: Manifest, target: CloudSite
) -> None:
    recovery = begin(manager, point)
    until(lambda: restoring(target, recovery), 300, "a volume is being restored")
    manager.cli("job", "cancel", recovery["job_id"], "--no-wait")
    found = at_rest(manager, recovery)
    assert found["state"] == "paused"
    undo(manager, target, found)
