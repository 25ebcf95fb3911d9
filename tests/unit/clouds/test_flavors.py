"""Flavors as one project may use them; names are unique in a site, whoever may use what has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds import flavors, resources
from multisite.clouds.resources import tokens
from multisite.domain.manifest import FlavorRecord
from multisite_lab.sim.nova.resources import ACCESS, make_flavor
from tests.unit.simulated import SimulatedSite, simulated_target

TOKEN = "multisite:job-1:flavor-1"
BIG = FlavorRecord("f", "big", 2, 512, 10, 1, 64, {"hw:cpu_policy": "dedicated"})


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    return simulated_target(monkeypatch)


def named(target: SimulatedSite, name: str) -> list[dict[str, Any]]:
    return [row for row in target.state.flavors.values() if row["name"] == name]


def taken(target: SimulatedSite, *projects: str, public: bool = False, **more: Any) -> str:
    """Somebody has one of this name."""
    fields = {"name": "big", "vcpus": 2, "ram": 512, "disk": 10, "OS-FLV-EXT-DATA:ephemeral": 1, "swap": 64}
    row = make_flavor(target.sim, fields | {"os-flavor-access:is_public": public} | more)
    row["extra_specs"], row[ACCESS] = dict(BIG.extra_specs), projects
    return str(row["id"])


def test_one_is_made_private_for_the_project_with_its_extra_specs(target: SimulatedSite) -> None:
    made = [flavors.ensure_flavor(target.site, TOKEN, BIG, "big") for _ in range(2)]
    (row,) = named(target, "big")
    assert made == [row["id"]] * 2
    assert (row["vcpus"], row["ram"], row["OS-FLV-EXT-DATA:ephemeral"], row["swap"]) == (2, 512, 1, 64)
    assert row["extra_specs"]["hw:cpu_policy"] == "dedicated"
    assert (row["os-flavor-access:is_public"], row[ACCESS]) == (False, (target.account.project_id,))
    assert [f.id for f in flavors.usable_flavors(target.site) if f.name == "big"] == made[:1]
    flavors.leave_flavor(target.site, TOKEN, "", late=False)
    assert named(target, "big") == []


def test_the_public_one_of_an_earlier_release_is_left_as_it_is(target: SimulatedSite) -> None:
    row = make_flavor(target.sim, {"name": "big", "vcpus": 2, "ram": 512, "disk": 10, "description": TOKEN})
    assert flavors.ensure_flavor(target.site, TOKEN, BIG, "big") == row["id"]
    assert row["os-flavor-access:is_public"] is True


@pytest.mark.parametrize("public", [True, False])
def test_the_same_one_made_meanwhile_is_used_and_stays(target: SimulatedSite, public: bool) -> None:
    other = taken(target, target.account.project_id, public=public)
    assert flavors.ensure_flavor(target.site, TOKEN, BIG, "big", fresh=True) == other
    flavors.leave_flavor(target.site, TOKEN, "", late=True)
    assert [row["id"] for row in named(target, "big")] == [other]


def test_one_that_the_project_may_not_use_is_in_nobodys_way(target: SimulatedSite) -> None:
    """Also one of another size, or with other extra specs: ours has a name of its own then."""
    other = taken(target, "somebody-else")
    before = dict(target.state.flavors[other])
    made = {flavors.ensure_flavor(target.site, TOKEN, BIG, "big", fresh=fresh) for fresh in (True, False)}
    (row,) = named(target, tokens.named("big", TOKEN))
    assert made == {row["id"]}
    assert row[ACCESS] == (target.account.project_id,)
    assert target.state.flavors[other] == before
    assert resources.find(target.site, "flavor", TOKEN)[0].id == row["id"]


@pytest.mark.parametrize("change", [{"memory_mib": 256}, {"extra_specs": {"hw:cpu_policy": "shared"}}])
def test_one_that_differs_is_not_taken_for_it(target: SimulatedSite, change: dict[str, Any]) -> None:
    taken(target, public=True)
    flavors.ensure_flavor(target.site, TOKEN, replace(BIG, **change), "big", fresh=True)
    assert len(named(target, tokens.named("big", TOKEN))) == 1


def test_one_with_its_own_description_is_found_and_removed_by_its_token(target: SimulatedSite) -> None:
    made = flavors.ensure_flavor(target.site, TOKEN, BIG, "big")
    for _ in range(2):
        flavors.describe_flavor(target.site, TOKEN, made, "for large guests")
    (row,) = named(target, "big")
    assert row["description"] == "for large guests"
    assert row["extra_specs"].keys() == {*BIG.extra_specs, TOKEN}
    assert flavors.ensure_flavor(target.site, TOKEN, BIG, "big") == made, "found, not made a second time"
    assert [found.token for found in resources.find_of_job(target.site, "job-1", ("flavor",))] == [TOKEN]
    (there,) = [one for one in flavors.usable_flavors(target.site) if one.id == made]
    assert there.own_specs == BIG.extra_specs
    flavors.leave_flavor(target.site, TOKEN, "", late=False)
    assert named(target, "big") == []


def test_anothers_description_is_left_as_it_is(target: SimulatedSite) -> None:
    other = taken(target, public=True, description="its own")
    flavors.describe_flavor(target.site, TOKEN, other, "for large guests")
    (row,) = named(target, "big")
    assert (row["description"], row["extra_specs"]) == ("its own", BIG.extra_specs)


def test_a_token_in_a_restore_point_is_not_given_to_another(target: SimulatedSite) -> None:
    record = replace(BIG, extra_specs={**BIG.extra_specs, "multisite:job-0:flavor-1": flavors.MADE})
    flavors.ensure_flavor(target.site, TOKEN, record, "big")
    assert named(target, "big")[0]["extra_specs"] == BIG.extra_specs
