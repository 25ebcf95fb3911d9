"""Hooks of a recovery plan: what is kept, and where they come in a recovery's order."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.findings import blockers
from multisite.domain.model import Purpose
from multisite.recovery.plans.groups import parse_groups
from multisite.recovery.plans.hooks import filled, parse_hooks
from multisite.recovery.plans.outside import NOTHING, outside
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.plan import Decision, decide
from tests.unit.recovery.recover_samples import NOW, facts, manifest

GROUPS = [{"name": "data", "members": ["web2"]}, {"name": "front", "members": ["web1"]}]
HTTP: dict[str, Any] = {
    "name": "tell",
    "kind": "http",
    "when": "after-recovery",
    "url": "https://h.example.org/x",
}
COMMAND = {
    "name": "route",
    "kind": "command",
    "when": "before-group",
    "group": "front",
    "command": "move-route",
}
PROMPT = {
    "name": "look",
    "kind": "prompt",
    "when": "after-group",
    "group": "data",
    "question": "Is the data fine?",
}
OPENSTACK: dict[str, Any] = {"kind": "openstack", "url": None, "action": "server-reboot"}
HOOKS = [HTTP, COMMAND, PROMPT]
REACH = outside(hook_urls=["https://h.example.org"], hook_folder="/etc/multisite/hooks")


def decided(
    hooks: list[dict[str, Any]], reach: Any = REACH, commands: set[str] | None = None, **more: Any
) -> Decision:
    names = [group["name"] for group in GROUPS]
    there = frozenset({"move-route"} if commands is None else commands)
    rules = PlanRules(parse_groups(GROUPS, {}), reach, parse_hooks(hooks, names), there)
    return decide(manifest(), facts(), parse({}), NOW, by_plan=rules, **more)


def test_servers_wait_for_the_hooks_before_them() -> None:
    plan = decided(HOOKS).plan
    after = {server.record.name: server.after for server in plan.servers}
    assert after == {"web2": (), "web1": ("boot-group-1", "prompt-3", "hook-2")}
    assert RecoverPlan.from_json(plan.to_json()) == plan


def test_without_hooks_they_do_not() -> None:
    """The negative control of the above."""
    plan = decided([]).plan
    assert {server.record.name: server.after for server in plan.servers} == {
        "web2": (),
        "web1": ("boot-group-1",),
    }
    assert plan.hooks == ()


def test_a_preview_tells_what_is_done_when() -> None:
    shown = [(i.name, i.action, i.detail) for i in decided(HOOKS).preview.items if i.kind == "hook"]
    assert shown == [
        ("tell", "http", "after the recovery: POST https://h.example.org/x within 60 s"),
        ("route", "command", "before group front: run move-route within 60 s"),
        ("look", "prompt", "after group data: ask: Is the data fine?"),
    ]


def test_nothing_may_be_reached_unless_the_configuration_says_so() -> None:
    said = {f.kind: f.remedy for f in blockers(decided(HOOKS, NOTHING, set()).preview.problems)}
    assert set(said) == {"hook tell", "hook route"}
    assert "[recovery_plans] hook_urls" in said["hook tell"]
    assert "[recovery_plans] hook_folder" in said["hook route"]
    assert blockers(decided(HOOKS).preview.problems) == ()


def test_a_drill_has_only_the_hooks_that_are_for_it() -> None:
    found = decided([HTTP | {"in_drills": True}, COMMAND, PROMPT], purpose=Purpose.DRILL)
    assert [one.hook.name for one in found.plan.hooks] == ["tell"]
    left = [i.name for i in found.preview.items if (i.kind, i.action) == ("hook", "leave out")]
    assert left == ["route", "look"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": None}, r"hooks\.0\.url: a hook of kind http needs it"),
        ({"url": "https://u:p@h/"}, r"hooks\.0\.url: must have a host, no user and no password"),
        ({"url": "gopher://h/"}, r"hooks\.0\.url: must be an http or https URL"),
        ({"command": "x"}, r"hooks\.0\.command: only a hook of kind command has it"),
        ({"when": "before-group"}, r"hooks\.0\.group: before-group needs one"),
        ({"when": "before-group", "group": "gone"}, r"hooks\.0\.group: the plan has no group 'gone'"),
        ({"group": "data"}, r"hooks\.0\.group: after-recovery has none"),
        ({"body": {"text": "{password}"}}, r"hooks\.0\.body: \{password\} is not known"),
        ({"timeout": 0}, r"hooks\.0\.timeout: "),
        ({"headers": {}}, r"hooks\.0\.headers: there is no such field of a hook"),
        (
            {"kind": "prompt", "url": None, "question": "x", "when": "before-undo"},
            r"who undoes .* is not asked",
        ),
        ({"kind": "prompt", "url": None, "question": "x", "in_drills": True}, "nobody answers in a drill"),
        (OPENSTACK | {"action": None}, r"hooks\.0\.action: a hook of kind openstack needs it"),
        (OPENSTACK | {"action": "server-delete"}, r"hooks\.0\.action: "),
        (OPENSTACK | {"when": "before-recovery"}, r"hooks\.0\.when: .* no member is ready"),
        (OPENSTACK | {"members": []}, r"hooks\.0\.members: name at least one"),
        (OPENSTACK | {"metadata": {"a": "b"}}, r"hooks\.0\.metadata: server-reboot has none"),
        (OPENSTACK | {"action": "server-tags"}, r"hooks\.0\.tags: server-tags needs some"),
        (OPENSTACK | {"action": "server-tags", "tags": ["a/b"]}, r"hooks\.0\.tags"),
        (
            OPENSTACK | {"action": "server-metadata", "metadata": {"multisite_epoch": "9"}},
            r"hooks\.0\.metadata: 'multisite_epoch' is Multisite's own",
        ),
        ({"action": "server-stop"}, r"hooks\.0\.action: only a hook of kind openstack has it"),
        (
            {"kind": "command", "url": None, "command": "../x"},
            r"hooks\.0\.command: must be the name of a file",
        ),
    ],
)
def test_hooks_are_checked_when_they_are_kept(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse_hooks([HTTP | change], ["data"])


def test_an_action_is_for_members_that_are_ready_then() -> None:
    hook = {"name": "again", **OPENSTACK, "when": "after-group", "group": "data", "members": ["web2"]}
    fine = decided([hook])
    assert blockers(fine.preview.problems) == ()
    shown = [(i.action, i.detail) for i in fine.preview.items if i.kind == "hook"]
    assert shown == [("openstack", "after group data: server-reboot of web2 within 60 s")]
    early = decided([hook | {"members": ["web1"]}]).preview.problems
    assert "server web1 is not ready after group data" in str(blockers(early))
    before = decided([hook | {"when": "before-group"}]).preview.problems
    assert "server web2 is not ready before group data" in str(blockers(before))
    gone = decided([hook | {"members": ["gone"]}]).preview.problems
    assert blockers(gone) == ()
    assert "has no server 'gone', so nothing is done with it" in str(gone)


def test_names_are_unique() -> None:
    with pytest.raises(Invalid, match="'tell' is the name of two hooks"):
        parse_hooks([HTTP, HTTP], [])


def test_a_body_is_filled() -> None:
    told = {"application": "mme", "key": "k", "servers": [{"name": "web1"}]}
    body = {
        "text": "{application} is back ({key})",
        "servers": "{servers}",
        "deep": [{"a": "{application}", "n": 1}],
    }
    assert filled(body, told) == {
        "text": "mme is back (k)", "servers": [{"name": "web1"}], "deep": [{"a": "mme", "n": 1}]
    }  # fmt: skip
