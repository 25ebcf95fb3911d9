"""Which project of the target a recovery is in: chosen among those that were granted, or refused with what to type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid
from multisite.domain.model import ProjectGrant
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.plan import decide
from multisite.recovery.recover.projects import Choice, choose, names_of
from tests.unit.recovery.recover_samples import NOW, facts, look, manifest

OURS = manifest().project_id


def grant(there: str, name: str = "", *, is_default: bool = False) -> ProjectGrant:
    return ProjectGrant(there, OURS, "lyon", there, name or f"name-{there}", "olga", NOW, is_default)


PROD, LAB = grant("prod", is_default=True), grant("lab")


def chosen(rule: dict[str, str], *granted: ProjectGrant, names: Any = ()) -> Choice:
    return choose(manifest(), "lyon", rule, granted, names)


@pytest.mark.parametrize(
    ("rule", "granted", "id"),
    [
        ({}, (), OURS),
        ({OURS: OURS}, (), OURS),
        ({}, (LAB,), "lab"),
        ({}, (LAB, PROD), "prod"),
        ({OURS: "lab"}, (LAB, PROD), "lab"),
        ({OURS: "name-lab"}, (LAB, PROD), "lab"),
        ({"our name": "name-lab"}, (LAB, PROD), "lab"),
        ({"our name": "lab", OURS: "lab"}, (LAB, PROD), "lab"),
        ({OURS: "prod"}, (grant("lab", "prod"), PROD), "prod"),
    ],
)
def test_one_that_is_granted_is_chosen(rule: dict[str, str], granted: Any, id: str) -> None:
    found = chosen(rule, *granted, names={"our name"})
    assert found.id == id
    assert found.others.keys() == {g.site_project_id for g in granted} - {id}


@pytest.mark.parametrize(
    ("rule", "granted", "said"),
    [
        (
            {},
            (LAB, grant("spare")),
            f"--map project:{OURS}=lab (name-lab); --map project:{OURS}=spare (name-spare)",
        ),
        (
            {OURS: "theirs"},
            (LAB, PROD),
            "granted: name-lab (lab), name-prod (prod); an administrator grants another",
        ),
        ({OURS: "theirs"}, (), f"granted: {OURS}; an administrator grants another"),
        ({OURS: OURS}, (LAB, PROD), "is none of the projects of site lyon"),
        ({"slip": "lab"}, (LAB,), f"not of 'slip': --map 'project:{OURS}=<project of the target>'"),
        ({OURS: "lab", "our name": "prod"}, (LAB, PROD), "map it to one"),
        ({OURS: "same"}, (grant("a", "same"), grant("b", "same")), "the name of 2 projects; use one of a, b"),
    ],
)
def test_any_other_is_refused(rule: dict[str, str], granted: Any, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        chosen(rule, *granted, names={"our name"})
    assert str(caught.value).startswith("mapping.projects: ")
    assert said in str(caught.value)


def test_a_project_is_called_as_its_members_and_the_source_call_it() -> None:
    member = Caller("u", "bob", OURS, "bobs", frozenset(), "r")
    assert names_of(manifest(), member, [PROD]) == {"bobs", "prod", "name-prod"}
    assert names_of(manifest(), replace(member, project_id="admins"), []) == set(), (
        "an administrator's is another"
    )


def test_the_choice_is_in_the_plan() -> None:
    plan = decide(manifest(), facts(), parse({}), NOW, project=chosen({}, LAB)).plan
    assert plan.target_project == "lab"
    assert RecoverPlan.from_json(plan.to_json()) == plan
    before = {k: v for k, v in plan.to_json().items() if k != "target_project"}
    assert RecoverPlan.from_json(before).target_project == "", "of a job of the release before"


@pytest.mark.parametrize(
    ("roles", "severity"),
    [
        (None, None), ({"member", "reader"}, None), ({"admin"}, None), ({"reader"}, "blocking"), ({"auditor"}, "note"),
    ],
)  # fmt: skip
def test_a_role_that_may_change_nothing_is_in_the_way(roles: Any, severity: str | None) -> None:
    target = facts(roles=None if roles is None else frozenset(roles), account="multisite")
    found = [p for p in look(target=target).problems if p.kind.startswith("project ")]
    assert [str(p.severity) for p in found] == ([severity] if severity else [])
    assert all("openstack role add --project t-proj --user multisite member" in p.remedy for p in found)


@pytest.mark.parametrize(
    ("granted", "remedy"),
    [((PROD, LAB), f"--map project:{OURS}=lab"), ((PROD,), "recover in the project of the earlier recovery")],
)
def test_records_that_are_in_another_project_cannot_be_imported(granted: Any, remedy: str) -> None:
    point = manifest()
    (id, *_) = [b["id"] for b in point.volumes[0].payload.data["backups"]]  # type: ignore[union-attr,index,call-overload]
    target = facts(backups_elsewhere={id: "lab"})
    found = look(point, target, project=chosen({}, *granted))
    (problem,) = [p for p in found.problems if p.blocking and "imported in" in p.what]
    assert remedy in problem.remedy
    assert ("lab" in problem.what) == (LAB in granted), "another's project is not named"
