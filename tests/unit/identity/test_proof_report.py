"""What is proven, wrong and unknown is told apart, and wrong says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.findings import Severity
from multisite.identity.proof.report import Lag, Pair, Report
from multisite.identity.proof.service import Verdict

GOOD = Pair(
    "site1", "site2", Verdict.ACCEPTED, {"10.0.0.2:5000": 1}, local=True, seconds=0.1, refused_after=2.0
)


def report(*pairs: Pair, lags: tuple[Lag, ...] = (Lag("site2", 0.01),)) -> Report:
    return Report("t", 5.0, pairs, lags)


def test_all_good_is_proven() -> None:
    found = report(GOOD)
    assert (found.in_sync, found.findings, found.inter_site) == (True, (), 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": Verdict.REFUSED, "refused_after": None}, "have both the same keys"),
        ({"local": False, "asked": {"10.0.0.1:5000": 2}}, "set region_name"),
        ({"refused_after": None}, "still taken after its revocation"),
        ({"refused_after": 9.0}, "5.0 s are promised"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(change: dict[str, object], said: str) -> None:
    found = report(GOOD, replace(GOOD, **change))  # type: ignore[arg-type]
    assert found.in_sync is False
    (finding,) = found.findings
    assert said in str(finding)
    assert (finding.site, bool(finding.remedy)) == ("site2", True)
    assert found.inter_site == (2 if "asked" in change else 0)


@pytest.mark.parametrize(
    "pair",
    [
        replace(GOOD, verdict=Verdict.UNKNOWN, error="no route"),
        replace(GOOD, verdict=Verdict.UNKNOWN),
        replace(GOOD, refused_after=None, error="revoking was not answered"),
    ],
)
def test_what_is_not_known_is_neither(pair: Pair) -> None:
    found = report(GOOD, pair)
    assert (found.in_sync, [f.severity for f in found.findings]) == (None, [Severity.UNKNOWN])
    assert found.to_json()["verdict"] == "unknown"


def test_a_write_that_does_not_arrive_is_wrong_and_one_nobody_could_make_is_unknown() -> None:
    assert report(GOOD, lags=(Lag("site3", None),)).in_sync is False
    assert report(GOOD, lags=(Lag("site3", None, "entry: no answer"),)).in_sync is None
