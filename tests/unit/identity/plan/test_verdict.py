"""Every candidate gets a verdict and a number."""

from __future__ import annotations

import re

import pytest

from multisite.identity.plan.inputs import Link, checked, uniform
from multisite.identity.plan.verdict import Verdict, plan

LINK = Link(round_trip_ms=20, bandwidth_mbit=1000)
LOAD = {"users": 10_000, "logins": 5.0, "requests": 200.0, "link": LINK, "role_changes_per_hour": 20}


def verdicts(sites: int, **more: object) -> dict[str, Verdict]:
    found = plan(uniform(sites, **LOAD, **more))  # type: ignore[arg-type]
    return {judged.assessment.candidate.name: judged.verdict for judged in found.candidates}


@pytest.mark.parametrize(
    ("sites", "name"), [(2, "cluster-fernet"), (5, "cluster-fernet"), (30, "star-fernet")]
)
def test_one_is_recommended(sites: int, name: str) -> None:
    found = verdicts(sites)
    assert [n for n, verdict in found.items() if verdict == Verdict.RECOMMENDED] == [name]
    assert found["centralized-fernet"] == found["federation"] == Verdict.ADVISED_AGAINST
    for removed in ("cluster-uuid", "cluster-pki", "centralized-uuid", "centralized-pki"):
        assert found[removed] == Verdict.RULED_OUT


def test_a_large_cluster_is_advised_against() -> None:
    assert verdicts(30)["cluster-fernet"] == verdicts(30)["cluster-jws"] == Verdict.ADVISED_AGAINST
    assert verdicts(5)["star-fernet"] == Verdict.POSSIBLE


def test_keys_that_may_not_travel_rule_fernet_out() -> None:
    found = verdicts(5, secrets_may_travel=False)
    assert found["cluster-jws"] == Verdict.RECOMMENDED
    assert found["cluster-fernet"] == found["star-fernet"] == Verdict.RULED_OUT
    assert found["centralized-fernet"] == Verdict.ADVISED_AGAINST  # one site, no key travels


def test_two_owners() -> None:
    sites = [{"name": "a", "owner": "x"}, {"name": "b", "owner": "y"}]
    found = {
        j.assessment.candidate.name: j.verdict
        for j in plan(checked({"version": 1, "sites": sites})).candidates
    }
    assert found.pop("federation") == Verdict.RECOMMENDED
    assert set(found.values()) == {Verdict.RULED_OUT}


@pytest.mark.parametrize("sites", [1, 2, 5, 30])
def test_every_verdict_has_a_number(sites: int) -> None:
    for judged in plan(uniform(sites, **LOAD)).candidates:  # type: ignore[arg-type]
        assert re.search(r"\d", judged.why), judged.assessment.candidate.name


def test_federation_s_mappings_are_the_documents() -> None:
    for judged in plan(uniform(30, **LOAD)).candidates:  # type: ignore[arg-type]
        wanted = 30 * 29 if judged.assessment.candidate.name == "federation" else 0
        assert judged.assessment.burden.mappings == wanted


def test_pki_at_many_sites_fits_no_header() -> None:
    whys = {j.assessment.candidate.name: j.why for j in plan(uniform(30, **LOAD)).candidates}  # type: ignore[arg-type]
    assert "fits no header (8190)" in whys["cluster-pki"]
    one = {j.assessment.candidate.name: j.why for j in plan(uniform(1, **LOAD)).candidates}  # type: ignore[arg-type]
    assert "fits no header" not in one["cluster-pki"]
