"""Every command, through the real shell, as people and as machines see it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest
from api.setup import MINE, Services

from multisite.command.wiring import myself
from multisite.domain.model import RestorePointState
from multisite.store.restore_points import RestorePointRepository
from osc.cloud import Cloud, sdk
from osc.conftest import Openstack

START = ["mme", "--target-site", "lyon", "--yes-recover", "mme"]
GRAMMAR = {
    "site": ["register", "list", "show", "check", "unregister"],
    "project grant": ("create", "list", "set", "show", "delete"),
    "application": ["create", "list", "show", "delete"],
    "application plane": ("set", "list", "show", "realize", "check", "repair", "remove", "forget"),
    "protection": ["create", "list", "show", "set", "check", "preview", "rpo", "run", "delete"],
    "protection retention": ("preview",),
    "policy": ("create", "list", "set", "show", "delete"),
    "restore point": ["list", "show", "delete", "rescan"],
    "recovery plan": ("create", "list", "set", "show", "delete"),
    "recovery": [
        "preview",
        "start",
        "move",
        "list",
        "show",
        "answer",
        "resume",
        "undo",
        "stop-source",
        "reprotect",
        "commit",
    ],
    "drill": ("start", "list", "show", "end", "report", "verify"),
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
    "image": ("replicate",),
    "image replication": ("list", "show", "delete"),
    "resource sync": ("create", "list", "show", "set", "export", "plan", "apply", "delete"),
    "resource sync item": ("list",),
    "quota": ("create", "list", "show", "set", "apply", "usage", "delete"),
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


def test_a_policy_that_drills(openstack: Openstack) -> None:
    made = openstack("policy", "create", "silver", "--drill-cron", "0 3 * * 6", "-f", "json")
    assert made.json["drill_cron"] == "0 3 * * 6", made.err
    openstack("protection", "set", "mme", "--policy", "silver")
    schedule = openstack("protection", "show", "mme", "-f", "json").json["schedule"]
    assert (schedule["state"], schedule["drills"], schedule["last_drill_result"]) == ("none", 0, None)
    assert schedule["next_drill_at"] is not None
    refused = openstack("policy", "set", "silver", "--drill-cron", "on Saturdays")
    assert (refused.code, "drill_cron" in refused.err) == (1, True)
    assert openstack("policy", "set", "silver", "--no-drill", "-f", "json").json["drill_cron"] is None
    schedule = openstack("protection", "show", "mme", "-f", "json").json["schedule"]
    assert schedule["next_drill_at"] is None, "the negative control"


def test_a_method_is_chosen_and_the_others_are_shown(openstack: Openstack) -> None:
    shown = openstack("protection", "preview", "mme", "--target-site", "lyon", "-f", "json")
    rows = {row["Method"]: row for row in shown.json}
    assert [rows[name]["Possible"] for name in ("volume-replication", "consistent-backup")] == ["no", "yes"]
    assert [name for name, row in rows.items() if row["Chosen"]] == ["consistent-backup"]
    assert shown.err.startswith("Chosen: consistent-backup: consistent across the application's servers")
    table = openstack("protection", "preview", "mme", "--target-site", "lyon")
    assert "multisite.conf, [replication] backends" in table.out
    made = openstack("protection", "create", "mme", "--target-site", "lyon", "-f", "json")
    assert (made.json["method"], "Chosen: consistent-backup" in made.err) == ("consistent-backup", True)
    named = openstack("protection", "create", "mme", "--method", "instance-snapshot", "-f", "json")
    assert (named.json["method"], "Chosen" in named.err) == ("instance-snapshot", False)


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
