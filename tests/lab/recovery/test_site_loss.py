"""The main job on real sites, in the order of the worst day: protect, crash, lose the site, recover, prove.

The tests of this module build on each other and run in their order.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from multisite_lab import sites, vnf
from multisite_lab.manager import CommandFailed, Manager

FREEZE_LIMIT = 25
TARGET = ("--target-site", "site2", "--create-missing-flavors", "--ready-console", "GUEST-READY")
WHAT_LASTS = "backup"


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """What earlier tests of this module found out."""
    return {}


@pytest.fixture(scope="module")
def protected(service: Manager, application: vnf.Vnf) -> str:
    """The name of the registered, protected application."""
    name = application.name
    service.cli("application", "create", name, "--site", "site1", "--metadata-tag", f"vnf={name}")
    service.cli("protection", "create", name, "--method", "consistent-backup", "--target-site", "site2",
                "--freeze-timeout", str(FREEZE_LIMIT), "--console-mark", vnf.FREEZE_MARK)  # fmt: skip
    return name


def frozen(application: vnf.Vnf) -> list[bool]:
    """Asked of the guests themselves."""
    return [
        sites.guest_agent("site1", s.domain, "guest-fsfreeze-status") == "frozen" for s in application.servers
    ]


def remains(cloud: str, *names: str) -> list[str]:
    """What is in the project besides the named applications and the backups that protections are for."""
    return [thing for thing in vnf.leftovers(cloud, *names) if not thing.startswith(WHAT_LASTS)]


def until(condition: Any, timeout: float, what: str) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.2)
    return time.monotonic() - begun


def proofs(name: str) -> dict[str, vnf.Proof]:
    return {s.name: vnf.proof("site2", s.id, timeout=60) for s in vnf.servers("site2", name)}


def test_full_then_incremental(
    service: Manager, application: vnf.Vnf, protected: str, story: dict[str, Any]
) -> None:
    for kind, incremental in (("--full", False), ("--incremental", True)):
        point = service.cli("protection", "run", protected, kind)
        assert point["state"] == "available", point
        assert point["incremental"] is incremental
        assert {w["server_name"] for w in point["frozen"]} == {s.name for s in application.servers}
        assert all(0 < w["seconds"] < FREEZE_LIMIT for w in point["frozen"])
        print(
            f"{kind}: frozen {point['frozen_seconds']:.2f} s in all, {[w['seconds'] for w in point['frozen']]}"
        )
    assert len(point["marks"]) == len(application.servers)
    assert not any(frozen(application))
    assert remains("site1", protected) == []
    story["point"] = point


def test_a_manager_killed_in_the_frozen_window_leaves_no_server_frozen(
    service: Manager, application: vnf.Vnf, protected: str
) -> None:
    slow = service.cli("protection", "create", protected, "--method", "consistent-backup", "--target-site", "site2",
                       "--freeze-timeout", str(FREEZE_LIMIT), "--snapshot-gap", "4")  # fmt: skip
    begun = service.cli("protection", "run", slow["id"], "--no-wait")
    until(lambda: all(frozen(application)), 60, "all servers frozen")
    service.kill()
    seconds = until(lambda: not any(frozen(application)), FREEZE_LIMIT + 10, "all thawed by nova-api")
    print(
        f"manager killed while {len(application.servers)} servers were frozen: thawed after {seconds:.1f} s"
    )
    service.start()
    until(
        lambda: service.cli("job", "show", begun["job_id"])["state"] in ("undone", "undo_failed"),
        120,
        "job ends",
    )
    job = service.cli("job", "show", begun["job_id"])
    assert job["state"] == "undone", job
    assert "interrupted" in job["error"], job["error"]
    assert not any(frozen(application))
    assert remains("site1", protected) == []


def test_unfrozen_protection_is_made_and_marked(
    service: Manager, protected: str, story: dict[str, Any]
) -> None:
    loose = service.cli("protection", "create", protected, "--method", "consistent-backup", "--target-site", "site2",
                        "--no-quiesce", "--snapshot-gap", "1")  # fmt: skip
    point = service.cli("protection", "run", loose["id"], "--full")
    assert point["state"] == "available"
    assert point["quiesced"] is False
    story["unfrozen"] = point


def test_preview_names_every_obstacle_and_start_refuses(
    service: Manager, protected: str, story: dict[str, Any]
) -> None:
    target = vnf.connect("site2")
    project = target.current_project_id
    if flavor := target.compute.find_flavor("t128"):  # of an earlier recovery
        target.compute.delete_flavor(flavor)
    before = vnf.leftovers("site2")
    obstacle = target.network.create_network(name=f"{protected}-data")
    target.network.create_subnet(network_id=obstacle.id, ip_version=4, cidr="10.10.0.0/24", name="obstacle")
    target.compute.update_quota_set(project, instances=1)
    try:
        argv = service.argv(
            "recovery", "preview", story["point"]["id"], "--target-site", "site2", "-f", "json"
        )
        shown = subprocess.run(argv, env=service.environment(), capture_output=True, text=True, check=False)
        assert shown.returncode == 2, shown.stderr
        text = " ".join(
            f"{p['kind']} {p['what']}"
            for p in json.loads(shown.stdout)["problems"]
            if p["severity"] == "blocking"
        )
        for word in ("t128", f"{protected}-data", "instances"):
            assert word in text, text
        with pytest.raises(CommandFailed):
            service.cli(
                "recovery",
                "start",
                story["point"]["id"],
                "--target-site",
                "site2",
                "--yes-recover",
                protected,
            )
    finally:
        target.compute.update_quota_set(project, instances=-1)
        target.network.delete_network(obstacle.id)
    assert vnf.leftovers("site2") == before


def test_recovery_with_the_site_and_our_own_database_gone(
    service: Manager, protected: str, story: dict[str, Any]
) -> None:
    seconds = sites.kill("site1")
    service.kill()
    for file in service.folder.glob("*.sqlite*"):
        file.unlink()
    service.prepare()
    service.start()
    service.register("site2")
    known = {row["ID"] for row in service.cli("restore", "point", "list")}
    assert {story["point"]["id"], story["unfrozen"]["id"]} <= known
    begun = time.monotonic()
    made = service.cli("recovery", "start", story["point"]["id"], *TARGET, "--source-is-fenced",
                       "--yes-recover", protected)  # fmt: skip
    print(
        f"site killed in {seconds:.2f} s; recovered in {time.monotonic() - begun:.1f} s, RTO {made['rto_seconds']}"
    )
    assert made["state"] == "done"
    expected = {m["server_name"]: vnf.marked(m["text"]) for m in story["point"]["marks"]}
    found = proofs(protected)
    assert set(found) == set(expected)
    for name, proof in found.items():
        assert proof.consistent, proof
        assert proof.matches(expected[name]), (proof, expected[name])
    story["recovery"] = made


def test_undo_leaves_nothing_at_the_target(service: Manager, story: dict[str, Any]) -> None:
    undone = service.cli("recovery", "undo", story["recovery"]["id"])
    assert undone["state"] == "undone"
    assert remains("site2") == []


def test_negative_control_the_unfrozen_restore_point_is_inconsistent(
    service: Manager, protected: str, story: dict[str, Any]
) -> None:
    # The guests refuse to work on such disks, so the readiness gate asks only for their verdict.
    made = service.cli("recovery", "start", story["unfrozen"]["id"], "--target-site", "site2",
                       "--create-missing-flavors", "--ready-console", "GUEST-VERIFY", "--source-is-fenced",
                       "--yes-recover", protected)  # fmt: skip
    found = proofs(protected)
    print({name: (proof.journal, proof.consistent) for name, proof in found.items()})
    assert found
    assert not all(proof.consistent for proof in found.values())
    service.cli("recovery", "undo", made["id"])
    assert remains("site2") == []


def back_and_thawed(application: vnf.Vnf) -> bool:
    try:
        return not any(frozen(application))
    except sites.LabError:  # its agent does not answer yet
        return False


def test_the_lost_site_starts_again(application: vnf.Vnf) -> None:
    sites.start("site1")
    until(lambda: back_and_thawed(application), 240, "guests are back, not frozen")
