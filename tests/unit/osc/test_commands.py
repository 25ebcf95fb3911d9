"""Every command, through the real shell, as people and as machines see it."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
from api.fakes import Services, restore_point
from api.setup import MINE

from multisite.command.wiring import myself
from multisite.domain.findings import Finding, Severity, blocking
from multisite.domain.model import RestorePointState
from osc.cloud import Cloud, sdk
from osc.conftest import Openstack

START = ["mme", "--target-site", "lyon", "--yes-recover", "mme"]
GRAMMAR = {
    "site": ["register", "list", "show", "check", "unregister"],
    "project grant": ("create", "list", "show", "delete"),
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


@pytest.mark.parametrize(("flag", "asked"), [((), None), (("--full",), False), (("--incremental",), True)])
def test_protecting_waits_and_shows_the_restore_point(
    openstack: Openstack, cloud: Cloud, flag: tuple[str, ...], asked: bool | None
) -> None:
    done = openstack("protection", "run", "mme", *flag, "-f", "json")
    assert done.code == 0
    assert cloud.services.protections.runs[-1][1] is asked
    assert done.json["state"] == "available"
    assert done.json["frozen"] == [{"server_name": "mme-db", "seconds": 1.25}]
    assert "the step backup" in done.err


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
    assert by_name["frozen_seconds"] == 1.25
    assert by_name["marks"][0]["text"] == "record 7"
    assert "mme-db 1.25 s" in openstack("restore", "point", "show", newest["ID"]).out
    assert openstack("restore", "point", "rescan", "-f", "json").code == 0
    assert openstack("restore", "point", "delete", newest["ID"], "-f", "json").json["state"] == "done"


def test_the_newest_usable_restore_point_is_meant(openstack: Openstack, cloud: Cloud) -> None:
    app = cloud.services.of("applications")
    broken = restore_point(app, 60, state=RestorePointState.FAILED)
    cloud.services.protections.points[broken.id] = broken
    assert openstack("restore", "point", "show", "mme", "-f", "json").json["state"] == "available"


def test_a_preview_says_what_is_lost_and_done(openstack: Openstack) -> None:
    shown = openstack("recovery", "preview", "mme", "--target-site", "lyon")
    assert shown.code == 0
    assert "work of the last 15 min 30 s is lost" in shown.out
    assert "state of the source: unknown" in shown.out
    assert "| map    | network | net0   | to lan0 |" in shown.out


def test_a_preview_with_a_blocking_problem_ends_with_2(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.recoveries.problems = (
        blocking("", "flavor m1.vnf", "the target has none", "--create-missing-flavors"),
        Finding("", "keypair", "differs", "", "map it", Severity.NOTE),
    )
    shown = openstack("recovery", "preview", "mme", "--target-site", "lyon")
    assert shown.code == 2
    assert "BLOCKING: flavor m1.vnf: the target has none\n    remedy: --create-missing-flavors" in shown.out
    assert openstack("recovery", "preview", "mme", "--target-site", "lyon", "-f", "json").code == 2
    refused = openstack(
        "recovery", "start", "mme", "--target-site", "lyon", "--yes-recover", "mme", "-f", "json"
    )
    assert refused.code == 2
    assert refused.json["startable"] is False
    assert [verb for verb, _ in cloud.services.recoveries.asked] == ["preview"] * 3


def test_recovering(openstack: Openstack, cloud: Cloud) -> None:
    rules = ["--map", "network:net0=lan0", "--map", "network:net1=lan1", "--map", "volume-type:fast=ssd"]
    flags = [
        "--create-missing-flavors",
        "--source-is-fenced",
        "--ready-console",
        "READY",
        "--ready-timeout",
        "5",
    ]
    words = ["mme", "--target-site", "lyon", "--yes-recover", "mme", *rules, *flags]
    done = openstack("recovery", "start", *words, "-f", "json")
    assert done.code == 0, done.err
    assert done.json["state"] == "done"
    assert done.json["rto_seconds"] == 42.0
    assert "work of the last 15 min 30 s is lost" in done.err
    assert cloud.services.recoveries.asked[-1] == (
        "start",
        {
            "networks": {"net0": "lan0", "net1": "lan1"},
            "volume_types": {"fast": "ssd"},
            "create_missing_flavors": True,
            "source_is_fenced": True,
            "ready_console": "READY",
            "ready_timeout": 5.0,
        },
    )
    assert openstack("recovery", "show", "mme", "-f", "json").json["id"]
    assert openstack("recovery", "list", "-f", "json").json[-1]["State"] == "done"


def test_the_name_must_be_said(openstack: Openstack, cloud: Cloud) -> None:
    words = ["recovery", "start", "mme", "--target-site", "lyon"]
    with pytest.raises(SystemExit) as silent:
        openstack(*words)
    assert silent.value.code == 2
    wrong = openstack(*words, "--yes-recover", "hss")
    assert wrong.code == 1
    assert "this restore point is of 'mme'" in wrong.err
    assert [verb for verb, _ in cloud.services.recoveries.asked] == ["preview"]


@pytest.mark.parametrize("rule", ["network", "network:a", "color:a=b", "network:=b", "network:a="])
def test_maps_that_say_nothing(openstack: Openstack, rule: str) -> None:
    answer = openstack("recovery", "preview", "mme", "--target-site", "lyon", "--map", rule)
    assert answer.code == 1
    assert "--map" in answer.err


def test_a_recovery_that_fails_ends_with_1_and_can_be_resumed(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.recoveries.fails = "server mme-db: not ready after 600 s"
    failed = openstack(
        "recovery", "start", "mme", "--target-site", "lyon", "--yes-recover", "mme", "-f", "json"
    )
    assert failed.code == 1
    assert "not ready after 600 s" in failed.err
    assert "openstack multisite job resume|undo" in failed.err
    assert failed.json["state"] == "paused"
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
    refused = grant("create", "p-other", "paris", "p-free")
    assert refused.code == 1
    assert f"has a grant for site paris already, {made['id']}" in refused.err
    nowhere = grant("create", "p-other", "paris", "no-such-project")
    assert "openstack role add --project no-such-project" in nowhere.err
    assert openstack("project", "grant", "delete", made["id"]).code == 0
    assert "p-new" not in [row["Project"] for row in grant("list").json]
