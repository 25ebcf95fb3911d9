"""``openstack multisite resource sync ...``"""

from __future__ import annotations

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
