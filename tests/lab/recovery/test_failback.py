"""A disaster, and the old site comes back: never two copies that stay active unseen, and back again.

The tests of this module build on each other and run in their order.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from multisite_lab import sites, vnf
from multisite_lab.manager import CommandFailed, Manager

LOOKED = 150.0
"""Two looks of the guard, and what a site that starts takes to answer."""
READY = ("--create-missing-flavors", "--ready-console", "GUEST-READY")


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """What earlier tests of this module found out."""
    return {}


@pytest.fixture(scope="module")
def name(service: Manager, application: vnf.Vnf) -> str:
    """Of the registered, protected application."""
    members = [word for server in application.servers for word in ("--server", server.id)]
    service.cli("application", "create", application.name, "--site", "site1", *members)
    service.cli("protection", "create", application.name, "--method", "consistent-backup", "--target-site", "site2",
                "--console-mark", vnf.FREEZE_MARK)  # fmt: skip
    return application.name


def until(condition: Callable[[], bool], timeout: float, what: str) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout, f"{what}: not within {timeout:.0f} s"
        time.sleep(1)
    return time.monotonic() - begun


def active(cloud: str, ids: set[str]) -> set[str]:
    """By the site's own word."""
    return {s.id for s in vnf.connect(cloud).compute.servers() if s.id in ids and s.status == "ACTIVE"}


def revived(ids: set[str]) -> bool:
    """Whether all are active; those that Nova has not resumed with their host are started."""
    compute = vnf.connect("site1").compute
    for id in ids - active("site1", ids):
        if compute.get_server(id).status == "SHUTOFF":
            compute.start_server(id)
    return active("site1", ids) == ids


def shown(service: Manager, *words: str, code: int) -> Any:
    """What a command tells that ends with ``code``."""
    argv = service.argv(*words, "-f", "json")
    done = subprocess.run(argv, env=service.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_site_is_lost_and_comes_back(
    service: Manager, application: vnf.Vnf, name: str, story: dict[str, Any]
) -> None:
    story["old"] = {server.id for server in application.servers}
    point = service.cli("protection", "run", name)
    sites.kill("site1")
    made = service.cli("recovery", "start", point["id"], "--target-site", "site2", *READY, "--source-is-fenced",
                       "--yes-recover", name)  # fmt: skip
    assert made["state"] == "done"
    story["recovery"], story["new"] = made["id"], {server.id for server in vnf.servers("site2", name)}
    sites.start("site1")
    until(lambda: revived(story["old"]), 300, "the old copy is active")
    assert active("site2", story["new"]) == story["new"], "two copies are active: what the guard is for"


def test_the_guard_tells_and_powers_nothing_off(service: Manager, name: str, story: dict[str, Any]) -> None:
    def told() -> bool:
        copy = service.cli("application", "show", name)["old_copy"]
        return copy is not None and copy["state"] == "active"

    seconds = until(told, LOOKED, "the guard tells")
    (finding,) = service.cli("recovery", "show", story["recovery"])["old_copy"]["findings"]
    print(f"told after {seconds:.0f} s: {finding['what']} (remedy: {finding['remedy']})")
    assert f"recovery stop-source {story['recovery']} --yes-stop {name}" in finding["remedy"]
    assert all(id in finding["remedy"] for id in story["old"])
    assert active("site1", story["old"]) == story["old"]
    for refused in (("reprotect",), ("reprotect", "--source-is-fenced"), ("commit",)):
        with pytest.raises(CommandFailed):
            service.cli("recovery", refused[0], story["recovery"], *refused[1:])


def test_stopped_on_the_operators_word(service: Manager, name: str, story: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed):
        service.cli("recovery", "stop-source", story["recovery"], "--yes-stop", "another")
    service.cli("recovery", "stop-source", story["recovery"], "--yes-stop", name)
    assert active("site1", story["old"]) == set()
    assert active("site2", story["new"]) == story["new"]
    assert service.cli("application", "show", name)["old_copy"]["state"] == "off"


def test_reprotected_where_it_runs(service: Manager, name: str, story: dict[str, Any]) -> None:
    service.cli("recovery", "reprotect", story["recovery"])
    application = service.cli("application", "show", name)
    assert application["site"] == "site2"
    assert {member["server_id"] for member in application["members"]} == story["new"]
    service.cli("recovery", "reprotect", story["recovery"], "--undo")
    assert service.cli("application", "show", name)["site"] == "site1"
    service.cli("recovery", "reprotect", story["recovery"])
    story["back"] = service.cli("protection", "run", name)
    assert story["back"]["state"] == "available"


def test_committed_and_the_old_copy_removed(service: Manager, name: str, story: dict[str, Any]) -> None:
    words = ("recovery", "commit", story["recovery"], "--remove-source")
    would = shown(service, *words, code=2)
    assert would["removable"]
    assert story["old"] <= {item["target_id"] for item in would["items"] if item["action"] == "delete"}
    assert {s.id for s in vnf.servers("site1", name)} == story["old"], "shown, and nothing done"
    service.cli(*words, "--yes-remove", name)
    assert not vnf.servers("site1", name)
    left = [thing for thing in vnf.leftovers("site1") if thing.startswith(("volume ", "port "))]
    assert not [thing for thing in left if name in thing], left
    with pytest.raises(CommandFailed):
        service.cli("recovery", "undo", story["recovery"])


def test_back_to_the_old_site(service: Manager, name: str, story: dict[str, Any]) -> None:
    # The identity of this service is in site 2: it is moved back, not lost.
    maps: list[str] = []
    for network in vnf.connect("site1").network.networks():
        if network.name.startswith(f"{name}-"):
            maps += ["--map", f"network:{network.name}={network.id}"]
    made = service.cli("recovery", "move", name, "--target-site", "site1", *READY, *maps, "--yes-move", name)
    assert (made["state"], made["rpo_seconds"]) == ("done", 0.0)
    assert active("site2", story["new"]) == set()
    reprotected = {m["server_name"]: vnf.marked(m["text"]) for m in story["back"]["marks"]}
    for server in vnf.servers("site1", name):
        proof = vnf.proof("site1", server.id, timeout=60)
        assert proof.consistent, proof
        before = reprotected[server.name]
        assert before is not None
        assert proof.record > before.number, "and what it wrote since"
    service.cli("recovery", "reprotect", made["id"])
    application = service.cli("application", "show", name)
    assert application["site"] == "site1"
    assert service.cli("protection", "run", name)["state"] == "available"
    service.cli("recovery", "commit", made["id"])
