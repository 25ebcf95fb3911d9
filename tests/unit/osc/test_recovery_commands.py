"""``openstack multisite recovery``: previews, starts, moves, and how they end."""

from __future__ import annotations

import re

import pytest
from api.setup import MINE, operator

from multisite.domain.model import Recovery
from multisite_lab.sim.faults import Rule
from osc.cloud import Cloud
from osc.conftest import Openstack
from tests.sim import deploy

LOST = re.compile(r"work of the last (\d+ min )?\d+(\.\d+)? s is lost")
START = ["mme", "--target-site", "lyon", "--yes-recover", "mme"]


def recoveries(cloud: Cloud) -> list[Recovery]:
    return cloud.services.recoveries.list(operator(MINE))


def test_a_preview_says_what_is_lost_and_done(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.lose("paris")
    deploy.network(cloud.services.cloud("lyon"), "lan0", deploy.NETWORKS["data"])
    words = ("--create-missing-flavors", "--map", "network:vnf-data=lan0")
    shown = openstack("recovery", "preview", "mme", "--target-site", "lyon", *words)
    assert shown.code == 0, shown.out
    assert LOST.search(shown.out)
    assert "state of the source: unreachable" in shown.out
    assert re.search(r"\| use +\| network +\| vnf-data +\| 'lan0': mapped", shown.out)


def test_a_preview_with_a_blocking_problem_ends_with_2(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.lose("paris")
    shown = openstack("recovery", "preview", "mme", "--target-site", "lyon")
    assert shown.code == 2
    assert re.search(r"BLOCKING: flavor t128: .*\n    remedy: .*--create-missing-flavors", shown.out), (
        shown.out
    )
    assert openstack("recovery", "preview", "mme", "--target-site", "lyon", "-f", "json").code == 2
    refused = openstack(
        "recovery", "start", "mme", "--target-site", "lyon", "--yes-recover", "mme", "-f", "json"
    )
    assert refused.code == 2
    assert refused.json["startable"] is False
    asked = [line for line in cloud.requests if line.startswith("POST /v1/recoveries")]
    assert asked == ["POST /v1/recoveries/preview 200"] * 3
    assert recoveries(cloud) == []


def test_recovering(openstack: Openstack, cloud: Cloud) -> None:
    for name, kind in (("lan0", "data"), ("lan1", "mgmt")):
        deploy.network(cloud.services.cloud("lyon"), name, deploy.NETWORKS[kind])
    rules = [
        "--map", "network:vnf-data=lan0", "--map", "network:vnf-mgmt=lan1", "--map", "volume-type:rbd=__DEFAULT__",
    ]  # fmt: skip
    flags = [
        "--create-missing-flavors",
        "--source-is-fenced",
        "--ready-console",
        "GUEST-READY",
        "--ready-timeout",
        "5",
    ]
    words = ["mme", "--target-site", "lyon", "--yes-recover", "mme", *rules, *flags]
    done = openstack("recovery", "start", *words, "-f", "json")
    assert done.code == 0, done.err
    assert done.json["state"] == "done"
    assert done.json["rto_seconds"] > 0
    assert LOST.search(done.err)
    (kept,) = recoveries(cloud)
    assert kept.mapping == {
        "networks": {"vnf-data": "lan0", "vnf-mgmt": "lan1"},
        "volume_types": {"rbd": "__DEFAULT__"},
        "create_missing_flavors": True,
        "source_is_fenced": True,
        "ready_console": "GUEST-READY",
        "ready_timeout": 5.0,
    }
    assert sorted(
        server.name for server in cloud.services.world.sites["lyon"].sim.state.servers.values()
    ) == [
        "vnf-1",
        "vnf-2",
    ]
    assert openstack("recovery", "show", "mme", "-f", "json").json["id"] == kept.id
    assert openstack("recovery", "list", "-f", "json").json[-1]["State"] == "done"


def test_moving(openstack: Openstack, cloud: Cloud) -> None:
    words = ("recovery", "move", "mme", "--target-site", "lyon", "--create-missing-flavors")
    slip = openstack(*words, "--yes-move", "hss")
    assert slip.code == 1
    assert "this restore point is of 'mme'" in slip.err
    done = openstack(*words, "--warm-sync", "--yes-move", "mme", "-f", "json")
    assert done.code == 0, done.err
    assert "nothing is lost" in done.err
    assert not LOST.search(done.err)
    found = done.json
    assert (found["purpose"], found["state"]) == ("move", "done")
    source = cloud.services.world.sites["paris"].settle().state
    assert "SHUTOFF" in {server.status for server in source.servers.values()}
    runs = [line for line in cloud.requests if line.startswith("POST /v1/protections")]
    assert len(runs) == 1, "the warm sync is an ordinary run"


def test_moving_one_by_one(openstack: Openstack, cloud: Cloud) -> None:
    words = ("recovery", "move", "mme", "--target-site", "lyon", "--create-missing-flavors", "--one-by-one")
    refused = openstack(*words, "--yes-move", "mme")
    assert refused.code == 2, refused.out
    assert "openstack multisite network stretch" in refused.out
    assert openstack(*words[:-1], "--accept-split", "--yes-move", "mme").code == 1, "it is of one by one"
    more = ("--accept-split", "--pause-between", "0.5")
    shown = openstack("recovery", "preview", *words[2:], *more, "--ask-between", "--purpose", "move")
    assert (shown.code, "move one by one" in shown.out) == (0, True), shown.err
    done = openstack(*words, *more, "--yes-move", "mme", "-f", "json")
    assert done.code == 0, done.err
    assert (done.json["purpose"], done.json["state"]) == ("move", "done")
    source = cloud.services.world.sites["paris"].settle().state
    assert [server.status for server in source.servers.values()].count("SHUTOFF") == len(done.json["servers"])


def test_a_move_that_cannot_be_ends_with_2(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.lose("paris")
    words = ("mme", "--target-site", "lyon", "--create-missing-flavors")
    refused = openstack("recovery", "move", *words, "--yes-move", "mme")
    assert refused.code == 2, refused.out
    assert "a move needs the source" in refused.out
    assert "This move cannot be started" in refused.out
    assert openstack("recovery", "preview", *words, "--purpose", "move").code == 2
    assert recoveries(cloud) == []


def test_the_name_must_be_said(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.lose("paris")
    words = ["recovery", "start", "mme", "--target-site", "lyon", "--create-missing-flavors"]
    with pytest.raises(SystemExit) as silent:
        openstack(*words)
    assert silent.value.code == 2
    wrong = openstack(*words, "--yes-recover", "hss")
    assert wrong.code == 1
    assert "this restore point is of 'mme'" in wrong.err
    asked = [line for line in cloud.requests if line.startswith("POST /v1/recoveries")]
    assert asked == ["POST /v1/recoveries/preview 200"]


def test_losses_are_accepted_by_name(openstack: Openstack, cloud: Cloud) -> None:
    source = cloud.services.world.sites["paris"].settle().state
    for server in source.servers.values():
        server.flavor["OS-FLV-EXT-DATA:ephemeral"] = 2
    assert openstack("protection", "run", "mme", "-f", "json").code == 0
    cloud.services.world.lose("paris")
    words = ("recovery", "preview", "mme", "--target-site", "lyon", "--create-missing-flavors")
    refused = openstack(*words)
    assert refused.code == 2
    losses = re.findall(r"--accept-loss (\S+)", refused.out)
    assert losses == ["ephemeral-disk:vnf-1", "ephemeral-disk:vnf-2"]
    assert openstack(*words, "--accept-loss", losses[0]).code == 2
    accepted = openstack(*words, "--accept-loss", losses[0], "--accept-loss", losses[1])
    assert accepted.code == 0, accepted.out
    assert accepted.out.count("accepted: its ephemeral disk of 2 GiB") == 2
    slip = openstack(*words, "--accept-loss", "ephemeral-disk")
    assert slip.err.startswith("mapping.accept_loss.0: must be <loss>:<name or id>")


@pytest.mark.parametrize("rule", ["network", "network:a", "color:a=b", "network:=b", "network:a="])
def test_maps_that_say_nothing(openstack: Openstack, rule: str) -> None:
    answer = openstack("recovery", "preview", "mme", "--target-site", "lyon", "--map", rule)
    assert answer.code == 1
    assert "--map" in answer.err


def test_a_recovery_that_fails_ends_with_1_and_can_be_resumed(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.lose("paris")
    strike = Rule("error", "compute", "POST", "^/servers$", times=99, status=403)
    cloud.services.world.sites["lyon"].strike(strike)
    failed = openstack("recovery", "start", *START, "--create-missing-flavors", "-f", "json")
    assert failed.code == 1
    assert strike.struck
    assert "create server vnf-1" in failed.err, failed.err
    assert "openstack multisite job resume|undo" in failed.err
    assert failed.json["state"] == "paused"
    cloud.services.world.sites["lyon"].script.clear()
    assert openstack("recovery", "resume", failed.json["id"], "-f", "json").json["state"] == "done"
    assert openstack("recovery", "undo", failed.json["id"], "-f", "json").json["state"] == "undone"
