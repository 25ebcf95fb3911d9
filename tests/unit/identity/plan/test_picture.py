"""The picture: everything in it, nothing from elsewhere."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from multisite.identity.plan.candidates import ALL
from multisite.identity.plan.inputs import Link, uniform
from multisite.identity.plan.picture import SITES, curves, grouped, scaled, size, svg

INPUTS = uniform(
    5,
    users=50_000,
    logins=5,
    requests=100,
    link=Link(round_trip_ms=20, bandwidth_mbit=1000),
    role_changes_per_hour=20,
)


def test_every_candidate_is_in_exactly_one_curve() -> None:
    members = [candidate for group, _ in grouped(curves(INPUTS)) for candidate in group]
    assert sorted(c.name for c in members) == sorted(c.name for c in ALL)


def test_curves_that_differ_are_apart() -> None:
    for group, _ in grouped(curves(INPUTS)):
        assert len({candidate.shape for candidate in group}) == 1
    alone = [group for group, _ in grouped(curves(INPUTS)) if group[0].name in ("cluster-uuid", "federation")]
    assert [len(group) for group in alone] == [1, 1]


def test_scaled_keeps_the_load_of_a_site() -> None:
    more = scaled(INPUTS, 20)
    assert len(more.sites) == 20
    assert more.sites[0].logins_per_second == pytest.approx(1)
    assert more.sites[0].users == 10_000
    assert more.role_changes_per_hour == pytest.approx(80)


def test_the_picture_is_whole_and_needs_nothing() -> None:
    text = svg(INPUTS)
    root = ElementTree.fromstring(text.removeprefix("<?xml version='1.0' encoding='utf-8'?>"))
    shown = " ".join(node.text or "" for node in root.iter() if node.tag.endswith("text"))
    for number in SITES:
        assert re.search(rf"\b{number}\b", shown)
    for label in ("star", "federation", "removed"):
        assert label in shown
    loaded = [v for node in root.iter() for k, v in node.attrib.items() if k.endswith(("href", "src"))]
    assert [v for v in loaded if "//" in v] == []
    assert "<script" not in text or "src=" not in text


def test_a_silent_cloud_can_be_drawn_too() -> None:
    assert "<svg" in svg(
        uniform(1, users=0, logins=0, requests=0, link=Link(round_trip_ms=0, bandwidth_mbit=1))
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (81_915, "81.9 kB"), (2.5e9, "2.5 GB"), (3e12, "3 TB")],
)
def test_sizes(value: float, shown: str) -> None:
    assert size(value) == shown
