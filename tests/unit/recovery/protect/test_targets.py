"""Which targets a protection has, and what several of them make of a method's offer."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.findings import blocking, unknown
from multisite.domain.model import Known, Protection
from multisite.recovery.methods.estimates import Estimate
from multisite.recovery.methods.offers import Offer, together
from multisite.recovery.protect.targets import MOST, in_order


@pytest.mark.parametrize(
    ("one", "several", "found"),
    [
        (None, None, ()),
        ("lyon", None, ("lyon",)),
        (None, ["lyon", "rome"], ("lyon", "rome")),
        ("lyon", ["lyon", "rome"], ("lyon", "rome")),
        (None, [], ()),
    ],
)
def test_in_the_order_of_preference(
    one: str | None, several: list[str] | None, found: tuple[str, ...]
) -> None:
    assert in_order(one, several) == found


@pytest.mark.parametrize(
    ("one", "several", "said"),
    [
        ("rome", ["lyon", "rome"], "target_sites: begins with 'lyon', and target_site is 'rome'"),
        ("rome", [], "target_sites: begins with 'none'"),
        (None, ["lyon", "rome", "lyon"], "target_sites: lyon is named twice"),
        (None, [f"s{n}" for n in range(MOST + 1)], f"at most {MOST} can be"),
    ],
)
def test_two_words_that_differ_and_twice_the_same_are_refused(
    one: str | None, several: list[str], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        in_order(one, several)


def test_a_protection_has_them_all() -> None:
    known = Protection("p", "a", "mme", "p1", "consistent-backup", "paris", "lyon")
    assert known.target_sites == ("lyon",)
    aimed = known.aimed_at(["rome", "lyon"])
    assert (aimed.target_site, aimed.target_sites) == ("rome", ("rome", "lyon"))
    assert aimed.aimed_at([]).target_sites == ()


def offer(possible: Known, rto: Estimate, *findings: object) -> Offer:
    return Offer("m", possible, None, Estimate(60.0, 600.0, "runs"), rto, tuple(findings))  # type: ignore[arg-type]


def test_a_method_is_possible_where_it_is_in_each_target() -> None:
    lyon = offer(Known.YES, Estimate(10.0, 20.0, "past"))
    gap, doubt = blocking("rome", "quota", "none", "raise it"), unknown("rome", "silent", "not known")
    rome = offer(Known.NO, Estimate(5.0, 40.0, "past"), gap)
    assert together({"lyon": lyon}) is lyon
    both = together({"lyon": lyon, "rome": rome})
    assert (both.possible, both.findings) == (Known.NO, (gap,))
    assert (both.rto.low_seconds, both.rto.high_seconds) == (5.0, 40.0)
    assert both.rto.basis == "lyon: 10 to 20 s (past); rome: 5 to 40 s (past)"
    assert together({"lyon": lyon, "rome": offer(Known.UNKNOWN, lyon.rto, doubt)}).possible is Known.UNKNOWN
    silent = together({"lyon": lyon, "rome": offer(Known.YES, Estimate(None, None, "nothing"))})
    assert (silent.possible, silent.rto.low_seconds, silent.rto.high_seconds) == (Known.YES, 10.0, None)
