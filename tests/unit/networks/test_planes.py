"""The planes of an application."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.planes import DEFAULTS, Realised, Role, parse
from multisite.networks.planes import explained, orders

SITES = ("paris", "lyon")
FOUR = [
    {"name": "ext", "role": "external"},
    {"name": "hb", "role": "inter-component", "cidr": "10.1.0.0/24"},
    {"name": "copy", "role": "backup"},
    {"name": "mgmt", "role": "management"},
]


def test_four_planes_as_usual() -> None:
    planes = parse(FOUR, SITES)
    assert [p.realised for p in planes] == [Realised.LOCAL, Realised.STRETCHED, Realised.L3, Realised.LOCAL]
    (order,) = orders("mme", planes)
    assert (order.name, order.sites, order.cidr) == ("mme-hb", SITES, "10.1.0.0/24")
    said = list(explained("mme", planes))
    assert len(said) == 4
    assert all(DEFAULTS[Role(str(one["role"]))][1] in line for one, line in zip(FOUR, said, strict=True))


def test_the_operator_decides() -> None:
    (plane,) = parse(
        [{"name": "m", "role": "management", "realised": "stretched", "cidr": "10.2.0.0/24"}], SITES
    )
    assert (plane.realised, plane.why) == (Realised.STRETCHED, "as the operator said")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"role": "backup"}], r"planes\[0\]: name"),
        ([{"name": "x", "role": "data"}], r"planes\[0\] \(x\): role: 'data' is not one of external"),
        ([{"name": "x", "role": "backup", "realised": "l2"}], "realised: 'l2'"),
        ([{"name": "x", "role": "backup", "color": 1}], "color: not a field"),
        ([{"name": "x", "role": "backup", "sites": ["oslo"]}], "sites: oslo is not a site"),
        ([{"name": "x", "role": "backup", "sites": ["lyon"]}], "sites: a plane realised as l3 connects two"),
        ([{"name": "x", "role": "inter-component"}], "cidr: a stretched plane"),
        ([{"name": "x", "role": "inter-component", "cidr": "10.0.0.1/8"}], "cidr: '10.0.0.1/8' is not"),
        ([{"name": "x", "role": "inter-component", "cidr": "fd00::/64"}], "cidr: 'fd00::/64' is not"),
        ([FOUR[0], FOUR[0]], "each needs a name of its own"),
        ([FOUR[1], {**FOUR[1], "name": "y", "cidr": "10.1.0.128/25"}], "overlap"),
    ],
)
def test_what_is_wrong_is_named(entries: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse(entries, SITES)
