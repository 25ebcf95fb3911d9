"""Nova's images on real sites, of a server that boots from a volume and one that boots from an image; the site is lost.

The method is not named: with a server of an image it is the one that both sites can do.  The guest with two disks
judges them itself at boot; the other one has a file that its agent reads back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from multisite_lab import sites, vnf
from multisite_lab.guest import console
from multisite_lab.manager import CommandFailed, Manager, running
from multisite_lab.vnf.site import until

NAME = "img"
LOCAL = f"{NAME}-local"
PORT = 8796
TARGET = ("--target-site", "site2", "--create-missing-flavors", "--ready-console", "GUEST-READY")
FILE, LATER = "/var/lib/proof", "/var/lib/later"
BOOT_SECONDS = 420.0


@dataclass(frozen=True)
class Protected:
    """``point``: the restore point; ``written``: the sha256 of what the guest of the image had in ``FILE``."""

    manager: Manager
    choice: list[dict[str, Any]]
    point: dict[str, Any]
    written: str


def of_an_image() -> str:
    """Id of a server whose root disk is a copy of an image, on its host; it is ready."""
    cloud = vnf.connect("site1")
    made = cloud.compute.create_server(
        name=LOCAL,
        flavor_id=cloud.compute.find_flavor("t128", ignore_missing=False).id,
        image_id=cloud.image.find_image("guest", ignore_missing=False).id,
        metadata={"vnf": NAME, "boot_order": "2"},
        networks="none",
    )
    until(lambda: ready("site1", made.id) or None, f"{LOCAL} is ready", BOOT_SECONDS)
    return str(made.id)


def ready(site: str, server_id: str) -> bool:
    return console.parse(sites.console(site, server_id)).ready is not None


def in_guest(site: str, server_id: str, command: str) -> str:
    code, out = sites.guest_exec(site, server_id, command)
    assert code == 0, out
    return out


def digest(site: str, server_id: str) -> str:
    return in_guest(site, server_id, f"sha256sum {FILE}").split()[0]


def written(server_id: str) -> str:
    """Of 256 KiB that nobody else has, once they are on the disk."""
    in_guest("site1", server_id, f"dd if=/dev/urandom of={FILE} bs=65536 count=4 && sync")
    found = digest("site1", server_id)
    assert len(found) == len(hashlib.sha256().hexdigest())
    return found


def clean() -> None:
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """Twice, and what was written after that is lost with the site."""
    with running(tmp_path_factory.mktemp("images"), port=PORT, register=("site1", "site2")) as manager:
        clean()
        vnf.deploy("site1", NAME, servers=1)
        local = of_an_image()
        manager.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
        words = ("--target-site", "site2", "--console-mark", vnf.FREEZE_MARK)
        choice = shown(manager, "protection", "preview", NAME, *words)
        manager.cli("protection", "create", NAME, *words)
        manager.cli("protection", "run", NAME)
        had = written(local)
        point = manager.cli("protection", "run", NAME)
        in_guest("site1", local, f"date > {LATER} && sync")
        yield Protected(manager, choice, point, had)
        clean()


def shown(manager: Manager, *words: str) -> Any:
    """Also of a command that says with its exit status that something is in the way."""
    try:
        return manager.cli(*words)
    except CommandFailed as refused:
        return json.loads(refused.out)


def test_the_method_is_chosen_for_the_server_of_the_image(protected: Protected) -> None:
    rows = {row["Method"]: row for row in protected.choice}
    assert {name: row["Possible"] for name, row in rows.items()} == {
        "volume-replication": "no", "consistent-backup": "no", "instance-snapshot": "yes",
    }  # fmt: skip
    assert any(LOCAL in finding["kind"] for finding in rows["consistent-backup"]["Missing"])
    assert protected.point["method"] == "instance-snapshot"


def test_a_run_leaves_neither_image_nor_snapshot_nor_copy(protected: Protected) -> None:
    assert (protected.point["state"], protected.point["quiesced"]) == ("available", True)
    assert protected.point["incremental"] is True, "of the volumes that there are"
    left = [thing for thing in vnf.leftovers("site1", NAME) if "multisite:" in thing or "snapshot" in thing]
    assert left == []


def test_the_lost_site_is_recovered_with_the_data_of_both_guests(protected: Protected) -> None:
    manager, point = protected.manager, protected.point
    sites.kill("site1")
    try:
        made = manager.cli(
            "recovery", "start", point["id"], *TARGET, "--source-is-fenced", "--yes-recover", NAME
        )
        assert made["state"] == "done", made
        print(f"RTO {made['rto_seconds']:.1f} s, RPO {made['rpo_seconds']:.1f} s")
        found = {server.name: server.id for server in vnf.connect("site2").compute.servers()}
        judged(point, found[f"{NAME}-1"])
        local = found[LOCAL]
        assert digest("site2", local) == protected.written
        assert sites.guest_exec("site2", local, f"test -e {LATER}")[0] != 0, "written after the restore point"
        booted = vnf.connect("site2").compute.get_server(local)
        assert [volume.id for volume in booted.attached_volumes], "it boots from a volume here"
        assert manager.cli("recovery", "undo", made["id"])["state"] == "undone"
    finally:
        sites.start("site1")


def judged(point: dict[str, Any], server_id: str) -> None:
    """The guest found both of its disks at the record it was frozen on."""
    proof = vnf.proof("site2", server_id, timeout=60)
    marks = {mark["server_name"]: vnf.marked(mark["text"]) for mark in point["marks"]}
    record = marks[f"{NAME}-1"]
    assert record is not None
    assert proof.consistent, proof
    assert proof.matches(record), (proof, record)
