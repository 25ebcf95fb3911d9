"""What works where: the answers an operator would give from the facts of the lab."""

from __future__ import annotations

import pytest

from multisite.identity.plan.candidates import named
from multisite.identity.plan.inputs import Inputs, Link, uniform
from multisite.identity.plan.places import ARBITRATOR, places
from multisite.identity.plan.survive import abilities, cuts, splits


def asked(sites: int, **more: object) -> Inputs:
    return uniform(
        sites, users=10, logins=1, requests=1, link=Link(round_trip_ms=1, bandwidth_mbit=1), **more
    )


def seen(name: str, inputs: Inputs) -> list[tuple[str, str]]:
    candidate = named(name)
    found = cuts(candidate, inputs, places(candidate, inputs))
    return [(str(cut.there), str(cut.elsewhere)) for cut in found]


@pytest.mark.parametrize(
    ("name", "sites", "wanted"),
    [
        ("cluster-fernet", 1, [("IVW", "None")]),
        ("cluster-fernet", 2, [("---", "IVW")] * 2),  # the arbitrator decides
        ("cluster-fernet", 3, [("---", "IVW")] * 3),
        ("star-fernet", 2, [("---", "IVW")] * 2),
        ("star-fernet", 4, [("---", "IVW")] * 2 + [("(I)V-", "IVW")] * 2),
        ("multi-cluster-fernet", 3, [("IVW", "(I)V-")] + [("(I)V-", "IVW")] * 2),
        ("federation", 3, [("IVW", "IVW")] * 3),
        ("centralized-fernet", 3, [("IVW", "---")] + [("---", "IVW")] * 2),
        ("centralized-pki", 3, [("IVW", "-(V)-")] + [("-(V)-", "IVW")] * 2),
    ],
)
def test_one_site_cut(name: str, sites: int, wanted: list[tuple[str, str]]) -> None:
    assert seen(name, asked(sites)) == wanted


def test_without_its_arbitrator_a_cluster_of_two_dies_with_either() -> None:
    """The negative control: the arbitrator is what the second line above stands on."""
    candidate = named("cluster-fernet")
    found = places(candidate, asked(2))
    assert found.arbitrator == ARBITRATOR
    from dataclasses import replace

    alone = replace(found, arbitrator="")
    works = abilities(candidate, alone, (frozenset({"site001"}), frozenset({"site002"})))
    assert {str(each) for each in works.values()} == {"---"}


@pytest.mark.parametrize(
    ("name", "with_masters", "without"),
    [
        ("cluster-fernet", ("IVW", "---"), ("IVW", "---")),
        ("star-fernet", ("IVW", "(I)V-"), ("(I)V-", "IVW")),
        ("federation", ("IVW", "IVW"), ("IVW", "IVW")),
        ("centralized-jws", ("IVW", "---"), ("---", "IVW")),
    ],
)
def test_a_majority_without_the_minority(
    name: str, with_masters: tuple[str, str], without: tuple[str, str]
) -> None:
    candidate, inputs = named(name), asked(5)
    found = splits(candidate, inputs, places(candidate, inputs))
    assert [(str(each.majority), str(each.minority)) for each in found] == [with_masters, without]


def test_half_of_an_even_cluster_lives_by_the_arbitrator_only() -> None:
    candidate, inputs = named("cluster-fernet"), asked(4)
    names = [site.name for site in inputs.sites]
    halves = frozenset(names[:2]), frozenset(names[2:])
    works = abilities(candidate, places(candidate, inputs), halves)
    assert sorted({str(each) for each in works.values()}) == ["---", "IVW"]


def test_both_masters_of_a_star_lost() -> None:
    candidate, inputs = named("star-fernet"), asked(6)
    found = places(candidate, inputs)
    alone = [frozenset({master}) for master in found.writers]
    rest = frozenset(site.name for site in inputs.sites) - set(found.writers)
    works = abilities(candidate, found, (*alone, rest))
    assert {str(works[name]) for name in rest} == {"(I)V-"}
    assert {str(works[name]) for name in found.writers} == {"---"}


def test_a_cluster_of_copies_needs_its_own_quorum() -> None:
    candidate, inputs = named("multi-cluster-fernet"), asked(6, sites_per_cluster=3)
    found = places(candidate, inputs)
    second = found.clusters[1]
    cut_off = frozenset(second[:1])
    works = abilities(candidate, found, (cut_off, frozenset(s.name for s in inputs.sites) - cut_off))
    assert str(works[second[0]]) == "---"
    assert str(works[second[1]]) == "IVW"
