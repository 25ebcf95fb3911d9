"""What a recovery plan keeps, and how its rules and those of one start are put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.recovery_plan import RecoveryPlan
from multisite.recovery.plans.question import ask, merged
from multisite.recovery.plans.service import changed
from multisite.recovery.plans.targets import KnownTargets
from multisite.store.database import Database
from multisite.store.recovery_plans import RecoveryPlanRepository
from tests.unit.recovery.recover_samples import manifest

POINT = manifest()
NETWORK, OTHER = POINT.networks[0], POINT.networks[1]
PLAN = RecoveryPlan(
    "p-1", "by-day", POINT.project_id, POINT.application_id, POINT.application, "lyon",
    {"networks": {NETWORK.name: "wan", OTHER.id: "lan"}, "ready_timeout": 60.0},
)  # fmt: skip
CALLER = Caller("u", "olga", POINT.project_id, "vnf", frozenset({"member"}), "req-1")


@pytest.fixture
def plans(tmp_path: Path) -> RecoveryPlanRepository:
    database = Database(f"sqlite:///{tmp_path / 'd.sqlite'}")
    database.upgrade()
    made = RecoveryPlanRepository(database)
    made.add(PLAN)
    return made


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({}, "networks", {NETWORK.name: "wan", OTHER.id: "lan"}),
        ({"networks": {NETWORK.id: "man"}}, "networks", {NETWORK.id: "man", OTHER.id: "lan"}),
        ({"networks": {OTHER.name: "man"}}, "networks", {NETWORK.name: "wan", OTHER.name: "man"}),
        ({"network_names": {NETWORK.id: "new"}}, "networks", {OTHER.id: "lan"}),
        ({"network_names": {NETWORK.id: "new"}}, "network_names", {NETWORK.id: "new"}),
        ({"ready_timeout": 5.0}, "ready_timeout", 5.0),
        ({"projects": {"x": "y"}}, "projects", {"x": "y"}),
    ],
)
def test_what_is_named_at_a_start_replaces_the_rule_of_the_same_thing(
    given: dict[str, Any], field: str, expected: object
) -> None:
    assert merged(PLAN.mapping, given, POINT)[field] == expected


def test_a_rule_by_name_does_not_hide_behind_one_by_id() -> None:
    """The negative control of the above: put side by side, the id of the plan would win over the name given now."""
    naive = {**PLAN.mapping["networks"], OTHER.name: "man"}
    assert naive.get(OTHER.id) == "lan"
    assert OTHER.id not in merged(PLAN.mapping, {"networks": {OTHER.name: "man"}}, POINT)["networks"]


def test_a_plan_says_where_to_and_is_shown(plans: RecoveryPlanRepository) -> None:
    asked = ask(
        plans, KnownTargets(plans._database), CALLER, POINT, None, {"source_is_fenced": True}, "by-day"
    )
    assert asked.target_site == "lyon"
    assert asked.rules.networks == PLAN.mapping["networks"]
    assert asked.rules.source_is_fenced
    (item,) = asked.items
    assert (item.kind, item.name, item.action) == ("recovery plan", "by-day", "use")
    assert f"network {NETWORK.name} -> wan" in item.detail
    assert ask(plans, KnownTargets(plans._database), CALLER, POINT, "lyon", {}, PLAN.id).plan == plans.get(
        PLAN.id
    )


def test_a_change_of_the_plan_is_a_change_of_the_preview(plans: RecoveryPlanRepository) -> None:
    before = ask(plans, KnownTargets(plans._database), CALLER, POINT, None, {}, "by-day").items
    plans.update(replace(PLAN, description="the same in other words"))
    assert ask(plans, KnownTargets(plans._database), CALLER, POINT, None, {}, "by-day").items == before
    plans.update(replace(PLAN, mapping=PLAN.mapping | {"ready_timeout": 61.0}))
    assert ask(plans, KnownTargets(plans._database), CALLER, POINT, None, {}, "by-day").items != before


@pytest.mark.parametrize(
    ("change", "site", "said"),
    [
        ({"application_id": "a-2", "application": "hss"}, None, "plan: 'by-day' is for application 'hss'"),
        ({}, "oslo", "target_site: recovery plan 'by-day' is for lyon, not for oslo"),
        (
            {"mapping": {"networks": {"gone": "x"}}},
            None,
            "plan: 'by-day' does not fit .* has no 'gone'.* plan set",
        ),
    ],
)
def test_a_plan_that_does_not_fit(
    plans: RecoveryPlanRepository, change: dict[str, Any], site: str | None, said: str
) -> None:
    plans.update(replace(PLAN, **change))
    with pytest.raises(Invalid, match=said):
        ask(plans, KnownTargets(plans._database), CALLER, POINT, site, {}, "by-day")


def test_a_site_is_needed_one_way_or_the_other(plans: RecoveryPlanRepository) -> None:
    with pytest.raises(Invalid, match="target_site: name the site to recover in, or a recovery plan"):
        ask(plans, KnownTargets(plans._database), CALLER, POINT, None, {}, None)
    with pytest.raises(NotFound, match="there is no recovery plan 'by-night'"):
        ask(plans, KnownTargets(plans._database), CALLER, POINT, None, {}, "by-night")


@pytest.mark.parametrize("word", [{"accept_loss": ["ephemeral-disk:mme-1"]}, {"source_is_fenced": True}])
def test_no_plan_keeps_an_operators_word(word: dict[str, Any]) -> None:
    (name,) = word
    with pytest.raises(Invalid, match=f"mapping.{name}: no plan keeps it"):
        changed(PLAN, {"mapping": word})


def test_rules_are_checked_when_they_are_kept() -> None:
    with pytest.raises(Invalid, match=r"mapping\.netwroks: there is no such rule"):
        changed(PLAN, {"mapping": {"netwroks": {}}})


def test_names_are_unique_in_a_project(plans: RecoveryPlanRepository) -> None:
    with pytest.raises(Conflict, match="name: a recovery plan 'by-day' already exists"):
        plans.add(replace(PLAN, id="p-2"))
    plans.add(replace(PLAN, id="p-2", project_id="another"))
    assert [plan.id for plan in plans.list(POINT.project_id)] == ["p-1"]
