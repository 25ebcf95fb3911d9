"""The documents' conclusions (multisite-identity-service-management), and each with the number that decided it."""

from __future__ import annotations

import pytest

from multisite.identity.plan import constants as c
from multisite.identity.plan.inputs import Inputs, Link, checked, uniform
from multisite.identity.plan.recommend import of_owner, recommend


def asked(sites: int, round_trip: float = 20, **more: object) -> Inputs:
    link = Link(round_trip_ms=round_trip, bandwidth_mbit=1000)
    return uniform(sites, users=10_000, logins=5, requests=100, link=link, role_changes_per_hour=20, **more)


def owned(*owners: str, **more: object) -> Inputs:
    sites = [
        {"name": f"s{n}", "owner": owner, "users": 100, "logins_per_second": 0.1, "requests_per_second": 1}
        for n, owner in enumerate(owners)
    ]
    return checked({"version": 1, "sites": sites} | more)


@pytest.mark.parametrize(
    ("sites", "name", "decided", "unit"),
    [
        (1, "centralized-fernet", 1, "sites"),
        (2, "cluster-fernet", 2, "sites"),
        (5, "cluster-fernet", 5, "sites"),
        (6, "star-fernet", 6, "sites"),
        (30, "star-fernet", 30, "sites"),
    ],
)
def test_few_sites_a_cluster_many_a_star(sites: int, name: str, decided: float, unit: str) -> None:
    found = recommend(asked(sites))
    assert found.name == name
    assert (found.reasons[0].number, found.reasons[0].unit) == (decided, unit)


def test_two_owners_federate() -> None:
    found = recommend(owned("acme", "acme", "zeta"))
    assert found.mappings == 2
    assert found.name == "federation between 2 owners; inside: centralized-fernet, cluster-fernet"
    assert {one.owner: one.chosen.candidate.name for one in found.per_owner} == {
        "acme": "cluster-fernet",
        "zeta": "centralized-fernet",
    }
    assert "2 mappings between owners instead of 6 between 3 sites" in found.reasons[0].text


def test_every_owner_gets_the_form_for_its_own_sites() -> None:
    found = recommend(owned(*["big"] * 8, *["small"] * 2))
    assert {one.owner: one.chosen.candidate.name for one in found.per_owner} == {
        "big": "star-fernet",
        "small": "cluster-fernet",
    }


def test_secrets_that_may_not_travel_make_jws() -> None:
    for sites, name in ((5, "cluster-jws"), (30, "star-jws")):
        found = recommend(asked(sites, secrets_may_travel=False))
        assert found.name == name
        reason = next(r for r in found.reasons if r.unit == "public keys a day")
        assert reason.number == sites * (sites - 1)


def test_few_sites_that_are_far_apart_get_a_star() -> None:
    limit = c.CLUSTER_ROUND_TRIP_MS.value
    assert recommend(asked(3, limit)).name == "cluster-fernet"
    found = recommend(asked(3, limit + 1))
    assert found.name == "star-fernet"
    assert (found.reasons[0].number, found.reasons[0].limit) == (limit + 1, limit)
    assert recommend(asked(2, limit + 1)).name == "multi-cluster-fernet"


def test_one_far_site_is_enough() -> None:
    links = {
        "default": {"round_trip_ms": 5, "bandwidth_mbit": 1000},
        "between": [{"sites": ["s0", "s2"], "round_trip_ms": 250, "bandwidth_mbit": 1000}],
    }
    assert recommend(owned("", "", "", links=links)).name == "star-fernet"


def test_every_reason_shows_its_number() -> None:
    for inputs in (asked(2), asked(5), asked(30), asked(30, secrets_may_travel=False), owned("a", "b")):
        for reason in recommend(inputs).reasons:
            shown = reason.text.replace(",", "")
            assert (
                f"{reason.number:g}" in shown
                or f"{reason.number:.0f}" in shown
                or f"{reason.number:.0%}" in shown
            )


def test_a_thin_link_is_warned_about() -> None:
    link = Link(round_trip_ms=20, bandwidth_mbit=0.1)
    many = uniform(30, users=10_000, logins=50, requests=100, link=link)
    assert any(r.unit == "of the link" and r.number > 0.5 for r in recommend(many).reasons)
    assert not any(r.unit == "of the link" for r in recommend(asked(30)).reasons)


def test_an_owner_s_share() -> None:
    inputs = owned("a", "a", "b", role_changes_per_hour=30, revocations_per_hour=3)
    mine = of_owner(inputs, "a")
    assert [site.name for site in mine.sites] == ["s0", "s1"]
    assert (mine.role_changes_per_hour, mine.revocations_per_hour) == (pytest.approx(20), pytest.approx(2))
    assert of_owner(owned("a"), "a") == owned("a")
