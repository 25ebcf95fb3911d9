"""``openstack multisite resource sync ...``"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from multisite.resources.sync.kinds import KINDS as TABLE
from multisite_client.osc.resource_sync import KINDS
from osc.cloud import Cloud
from osc.conftest import Openstack

WORDS = ("--source-site", "paris", "--target-site", "lyon", "--kind", "security-group")


def test_the_kinds_are_those_of_the_service() -> None:
    assert set(KINDS) == set(TABLE)


def test_create_plan_apply_list_set_delete(openstack: Openstack, cloud: Cloud) -> None:
    made = openstack("resource", "sync", "create", "mine", *WORDS, "-f", "json")
    assert made.code == 0, made.err
    assert (made.json["on_conflict"], made.json["deletes"], made.json["interval_seconds"]) == (
        "stop",
        True,
        None,
    )
    planned = openstack("resource", "sync", "plan", "mine", "-f", "json")
    assert planned.code == 1
    assert {row["Act"] for row in planned.json} <= {"create", "adopt"}
    shown = openstack("resource", "sync", "plan", "mine")
    assert "default" in shown.out
    applied = openstack("resource", "sync", "apply", "mine", "-f", "json")
    assert applied.code == 0, applied.err
    assert applied.json["result"]["in_sync"] is True
    assert openstack("resource", "sync", "plan", "mine").code == 0
    listed = {row["Name"]: row for row in openstack("resource", "sync", "list", "-f", "json").json}
    assert listed["mine"]["In sync"]["in_sync"] is True
    assert "yes" in openstack("resource", "sync", "list").out
    items = openstack("resource", "sync", "item", "list", "mine", "-f", "json").json
    assert {row["Kind"] for row in items} == {"security-group"}
    words = ("--pause", "--interval", "60", "--no-delete", "--on-conflict", "source")
    changed = openstack("resource", "sync", "set", "mine", *words, "-f", "json").json
    assert (changed["paused"], changed["interval_seconds"], changed["deletes"]) == (True, 60, False)
    assert (
        openstack("resource", "sync", "set", "mine", "--no-interval", "-f", "json").json["interval_seconds"]
        is None
    )
    assert openstack("resource", "sync", "delete", "mine").code == 0
    assert openstack("resource", "sync", "show", "mine").code == 1


def test_a_conflict_is_shown_rule_by_rule(openstack: Openstack, cloud: Cloud) -> None:
    openstack("resource", "sync", "create", "mine", *WORDS)
    assert openstack("resource", "sync", "apply", "mine").code == 0
    (item, *_) = openstack("resource", "sync", "item", "list", "mine", "-f", "json").json
    theirs = cloud.services.world.sites["lyon"].sim.state.security_groups[item["Target ID"]]
    theirs["security_group_rules"] = theirs["security_group_rules"][1:]
    planned = openstack("resource", "sync", "plan", "mine")
    assert planned.code == 1
    assert "changed at the target: rules" in planned.out
    applied = openstack("resource", "sync", "apply", "mine")
    assert applied.code == 1
    assert "changed at the target: rules" in applied.out
    openstack("resource", "sync", "set", "mine", "--on-conflict", "source")
    (change,) = [
        r for r in openstack("resource", "sync", "plan", "mine", "-f", "json").json if r["Act"] == "update"
    ]
    assert change["Difference"] == "rules: + direction=egress ethertype=IPv4"
    assert openstack("resource", "sync", "apply", "mine").code == 0


def test_a_file_is_exported_planned_applied_and_replaced(openstack: Openstack, tmp_path: Path) -> None:
    file = tmp_path / "desired.yaml"
    words = ("--source-site", "paris", "--kind", "security-group")
    assert openstack("resource", "sync", "export", *words, "--file", str(file)).code == 0
    assert openstack("resource", "sync", "export", *words).out == file.read_text()
    made = openstack(
        "resource", "sync", "create", "f", "--file", str(file), "--target-site", "lyon", "-f", "json"
    )
    assert made.code == 0, made.err
    assert (made.json["source_site"], made.json["kinds"]) == (None, ["security-group"])
    assert made.json["document_digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "document" not in made.json
    assert openstack("resource", "sync", "apply", "f").code == 0
    file.write_text(file.read_text() + "  - {name: added, rules: []}\n")
    changed = openstack("resource", "sync", "set", "f", "--file", str(file), "-f", "json").json
    assert changed["document_digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert changed["result"]["at"] is None
    planned = openstack("resource", "sync", "plan", "f", "-f", "json")
    assert [(row["Act"], row["Name"]) for row in planned.json] == [("create", "added")]
    assert "added" not in openstack("resource", "sync", "export", *words).out


def test_a_wrong_file_is_refused_by_line_and_a_secret_is_not_sent(
    openstack: Openstack, cloud: Cloud, tmp_path: Path
) -> None:
    file = tmp_path / "desired.yaml"
    create = ("resource", "sync", "create", "f", "--target-site", "lyon")
    file.write_text("version: 1\nresources:\n  security-group:\n  - nme: a\n")
    refused = openstack(*create, "--file", str(file))
    assert refused.code == 1
    assert (
        "document: line 4: resources.security-group[0].nme: no such field: there are id, name" in refused.err
    )
    file.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n")
    cloud.requests.clear()
    refused = openstack(*create, "--file", str(file))
    assert refused.code == 1
    assert "nothing was sent" in refused.err
    assert "c2VjcmV0" not in refused.err
    assert not [line for line in cloud.requests if "resource-syncs" in line]
    assert "it cannot be read" in openstack(*create, "--file", str(tmp_path / "none")).err
    assert "--kind: say which" in openstack(*create, "--source-site", "paris").err
    with pytest.raises(SystemExit):
        openstack(*create)
