"""Every command, through the real shell, as people and as machines see it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest
from api.setup import MINE, Services, operator

from multisite.command.wiring import myself
from multisite.domain.model import Recovery, RestorePointState
from multisite.store.restore_points import RestorePointRepository
from multisite_lab.sim.faults import Rule
from osc.cloud import Cloud, sdk
from osc.conftest import Openstack
from tests.sim import deploy

START = ["mme", "--target-site", "lyon", "--yes-recover", "mme"]
GRAMMAR = {
    "site": ["register", "list", "show", "check", "unregister"],
    "project grant": ("create", "list", "set", "show", "delete"),
    "application": ["create", "list", "show", "delete"],
    "application plane": ("set", "list", "show", "realize", "check", "repair", "remove", "forget"),
    "protection": ["create", "list", "show", "run", "delete"],
    "restore point": ["list", "show", "delete", "rescan"],
    "recovery": ["preview", "start", "list", "show", "resume", "undo"],
    "job": ["list", "show", "watch", "cancel", "resume", "undo"],
    "network": ("stretch", "list", "show", "check", "reconcile", "unstretch"),
    "audit": ("list",),
    "identity": ("check", "plan", "render", "verify"),
    "identity keys": (
        "adopt",
        "check",
        "exclude",
        "hold",
        "include",
        "migrated",
        "release",
        "repair",
        "replace",
        "rotate",
        "status",
    ),
    "address": ("create", "list", "show", "move", "undo", "delete", "check"),
    "path": ("create", "list", "show", "delete", "check"),
}
ALONE = {"probe"}
"""Commands that are a verb of their own."""


def test_the_grammar_is_installed_and_loads() -> None:
    points = entry_points(group="openstack.multisite.v1")
    wanted = {
        f"multisite_{noun.replace(' ', '_')}_{verb}" for noun, verbs in GRAMMAR.items() for verb in verbs
    }
    assert {point.name for point in points} == wanted | {f"multisite_{verb}" for verb in ALONE}
    assert all(point.load().__doc__ for point in points)


def test_sites(openstack: Openstack, cloud: Cloud) -> None:
    made = openstack("site", "register", "oslo", "--cloud", "oslo1", "--description", "north", "-f", "json")
    assert made.code == 0
    assert (made.json["name"], made.json["cloud"], made.json["description"]) == ("oslo", "oslo1", "north")
    listed = openstack("site", "list", "-f", "json").json
    assert [row["Name"] for row in listed] == ["lyon", "oslo", "paris"]
    assert openstack("site", "show", made.json["id"], "-f", "json").json["name"] == "oslo"
    assert openstack("site", "unregister", "oslo").code == 0
    assert "oslo" not in {site.name for site in cloud.services.sites.list(myself())}


def test_register_takes_the_name_for_the_entry(openstack: Openstack) -> None:
    assert openstack("site", "register", "oslo", "-f", "json").json["cloud"] == "oslo"


def test_check_shows_what_a_site_can_do(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.sites["paris"].sim.settings.remote_port = False
    for_people = openstack("site", "check", "paris")
    assert for_people.code == 0
    assert "yes      quiesce 1.0 freezes last at most 600 s" in for_people.out
    assert (
        "no       remote-port Neutron has no extension remote-port: install multisite-neutron"
        in for_people.out
    )
    cloud.services.world.lose("paris")
    lost = openstack("site", "check", "paris", "-f", "json")
    assert lost.code == 1
    assert lost.json["reachable"] is False
    assert lost.json["capabilities"][0]["present"] == "unknown"


def test_applications(openstack: Openstack, cloud: Cloud) -> None:
    servers = ["--server", "s-1", "--server", "s-2,no-quiesce"]
    made = openstack("application", "create", "hss", "--site", "paris", *servers, "-f", "json").json
    assert [(m["server_id"], m["quiesce"]) for m in made["members"]] == [("s-1", True), ("s-2", False)]
    tagged = openstack("application", "create", "pcrf", "--site", "paris", "--metadata-tag", "vnf=pcrf")
    assert tagged.code == 0
    assert "1. pcrf-s-3" in tagged.out
    assert {row["Name"] for row in openstack("application", "list", "-f", "json").json} == {
        "hss",
        "mme",
        "pcrf",
        "theirs",
    }
    assert openstack("application", "show", "hss", "-f", "value", "-c", "id").out.strip() == made["id"]
    assert openstack("application", "delete", "hss").code == 0
    assert made["id"] not in {found.id for found in cloud.services.applications.list(myself())}


@pytest.mark.parametrize("words", [(), ("--server", "a", "--metadata-tag", "b=c"), ("--server", "a,never")])
def test_an_application_needs_servers_said_once(openstack: Openstack, words: tuple[str, ...]) -> None:
    answer = openstack("application", "create", "hss", "--site", "paris", *words)
    assert answer.code == 1
    assert "--server" in answer.err


def test_protections(openstack: Openstack, cloud: Cloud) -> None:
    options = ["--target-site", "lyon", "--no-quiesce", "--snapshot-gap", "1", "--console-mark", "^MARK"]
    made = openstack("protection", "create", "mme", *options, "-f", "json").json
    kept = made["options"]
    assert (kept["quiesce"], kept["snapshot_gap_seconds"], kept["console_mark"]) == (False, 1.0, "^MARK")
    assert openstack("protection", "delete", made["id"]).code == 0
    assert openstack("protection", "show", "mme", "-f", "json").json["target_site"] == "lyon"
    assert openstack("protection", "list", "-f", "json").json[0]["Application"] == "mme"


@pytest.mark.parametrize(
    ("flag", "incremental"), [((), True), (("--full",), False), (("--incremental",), True)]
)
def test_protecting_waits_and_shows_the_restore_point(
    openstack: Openstack, cloud: Cloud, flag: tuple[str, ...], incremental: bool
) -> None:
    done = openstack("protection", "run", "mme", *flag, "-f", "json")
    assert done.code == 0
    made = cloud.services.of("restore_points")
    assert (done.json["id"], done.json["state"], made.incremental) == (made.id, "available", incremental)
    (frozen,) = done.json["frozen"]
    assert (frozen["server_name"], frozen["seconds"]) == ("vnf-1", made.frozen_seconds)
    assert re.search(r"Protect mme: 4 (full|incremental) backups, 4 GiB: done$", done.err.rstrip()), done.err


def test_no_wait_returns_the_job(openstack: Openstack, cloud: Cloud) -> None:
    started = openstack("protection", "run", "mme", "--no-wait", "-f", "json")
    assert cloud.services.jobs.get(started.json["job_id"]).project_id == MINE
    assert not any("GET /v1/jobs" in line for line in cloud.requests)


def test_restore_points(openstack: Openstack, cloud: Cloud) -> None:
    listed = openstack("restore", "point", "list", "--application", "mme", "-f", "json").json
    assert len(listed) == 2
    assert {"ID", "Created at", "State"} <= set(listed[0])
    newest = max(listed, key=lambda row: str(row["Created at"]))
    by_name = openstack("restore", "point", "show", "mme", "-f", "json").json
    assert by_name["id"] == newest["ID"]
    kept = cloud.services.of("restore_points")
    assert by_name["frozen_seconds"] == kept.frozen_seconds > 0
    assert by_name["marks"][0]["text"] == kept.marks[0]["text"]
    assert f"vnf-1 {kept.frozen_seconds:.2f} s" in openstack("restore", "point", "show", newest["ID"]).out
    assert openstack("restore", "point", "rescan", "-f", "json").code == 0
    assert openstack("restore", "point", "delete", newest["ID"], "-f", "json").json["state"] == "done"


def test_the_newest_usable_restore_point_is_meant(openstack: Openstack, cloud: Cloud) -> None:
    newest = cloud.services.of("restore_points")
    later = newest.created_at + timedelta(minutes=60)
    broken = replace(newest, id="broken", created_at=later, state=RestorePointState.FAILED)
    RestorePointRepository(cloud.services.database).add(broken)
    assert cloud.services.of("restore_points").id == "broken"
    assert openstack("restore", "point", "show", "mme", "-f", "json").json["state"] == "available"


LOST = re.compile(r"work of the last (\d+ min )?\d+(\.\d+)? s is lost")


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


def test_errors_are_the_services_own_words(openstack: Openstack) -> None:
    answer = openstack("site", "show", "atlantis")
    assert answer.code == 1
    assert answer.err.startswith("site: there is no site 'atlantis' (HTTP 404, req-")
    assert openstack("application", "show", "nobody").err.startswith("application: there is no application")


def test_an_ambiguous_name_lists_the_choices(openstack: Openstack, cloud: Cloud) -> None:
    openstack("protection", "create", "mme")
    answer = openstack("protection", "show", "mme")
    assert answer.code == 1
    assert "2 match 'mme'" in answer.err


def test_the_endpoint_can_be_named(
    openstack: Openstack, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.registered = False
    missing = openstack("site", "list")
    assert missing.code == 1
    assert "--os-multisite-endpoint" in missing.err
    for url in ("/multisite", "/multisite/", "/multisite/v1"):
        monkeypatch.setenv("OS_MULTISITE_ENDPOINT", cloud.url + url)
        assert openstack("site", "list").code == 0


def test_one_request_per_simple_command(openstack: Openstack, cloud: Cloud) -> None:
    cloud.requests.clear()
    openstack("site", "show", "paris")
    assert cloud.requests == ["GET /v1/sites/paris 200"]


def test_the_sdk_finds_the_service(cloud: Cloud) -> None:
    assert {site.name for site in sdk(cloud).sites()} == {"paris", "lyon"}
    assert isinstance(cloud.services, Services)


def test_audit(openstack: Openstack, cloud: Cloud) -> None:
    assert openstack("site", "register", "oslo", "--cloud", "oslo1").code == 0
    row = openstack("audit", "list", "--long", "-f", "json").json[0]
    assert (row["User"], row["Method"], row["Path"]) == ("olga", "POST", "/v1/sites")
    assert (row["Site"], row["Outcome"], row["Status"]) == ("oslo", "done", 201)
    words = ("--site", "lyon", "--since", "2026-11-21T03:00:00Z", "--limit", "5", "--marker", "999")
    found = openstack("audit", "list", "--job", "j", *words, "-f", "json").json
    assert {(one["Site"], one["Path"], one["Outcome"]) for one in found} == {("lyon", "/servers", "intended")}
    for other in (
        ["--job", "k"],
        ["--site", "paris"],
        ["--since", "2099-01-01T00:00:00Z"],
        ["--marker", "1"],
    ):
        assert openstack("audit", "list", "--job", "j", *words, *other, "-f", "json").json == []
    assert len(openstack("audit", "list", "--limit", "1", "-f", "json").json) == 1


def test_a_grant_is_made_shown_and_taken_back(openstack: Openstack) -> None:
    def grant(*words: str) -> Any:
        return openstack("project", "grant", *words, "-f", "json")

    made = grant("create", "p-new", "paris", "p-free").json
    assert (made["project_id"], made["site"], made["site_project_id"]) == ("p-new", "paris", "p-free")
    assert "p-new" in [row["Project"] for row in grant("list").json]
    assert grant("show", made["id"]).json == made
    assert made["is_default"] is True, "the first one"
    assert grant("set", "--default", made["id"]).json == made
    with pytest.raises(SystemExit, match="2"):
        openstack("project", "grant", "set", made["id"])
    refused = grant("create", "p-other", "paris", "p-free")
    assert refused.code == 1
    assert f"has a grant for site paris already, {made['id']}" in refused.err
    nowhere = grant("create", "p-other", "paris", "no-such-project")
    assert "openstack role add --project no-such-project" in nowhere.err
    gone = openstack("project", "grant", "delete", made["id"])
    assert gone.code == 0
    assert (
        f"Project p-new does not have project {made['site_project_name']} (p-free) of site paris" in gone.out
    )
    assert "p-new" not in [row["Project"] for row in grant("list").json]
