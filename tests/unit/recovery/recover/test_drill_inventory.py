"""Two inventories compared: what is the drill's, what is other people's, and what nobody can say."""

from __future__ import annotations

import pytest

from multisite.recovery.recover.drills.inventory import COUNTED, Inventory, Thing, compare
from multisite.recovery.recover.drills.report import seconds

JOB, OTHER = "job-1", "job-2"


def inventory(**things: dict[str, Thing]) -> Inventory:
    return Inventory({**{kind: {} for kind in COUNTED}, **things})


BEFORE = inventory(server={"s1": Thing("web")}, volume={"v1": Thing("other drill's", OTHER)})


def test_nothing_has_changed() -> None:
    found = compare(BEFORE, BEFORE, JOB, ())
    assert found.equal
    assert {c.kind: (c.before, c.after) for c in found.counts}["server"] == (1, 1)
    assert {c.service for c in found.counts} == {"Nova", "Cinder", "Neutron", "Glance"}


def test_what_the_drill_has_left_is_named() -> None:
    after = inventory(**{**BEFORE.things, "network": {"n1": Thing("lan-drill-1", JOB)}})
    found = compare(BEFORE, after, JOB, ())
    assert [(d.kind, d.id, d.name) for d in found.left] == [("network", "n1", "lan-drill-1")]
    assert not found.equal


def test_what_others_made_or_took_is_told_apart() -> None:
    after = inventory(server={**BEFORE.things["server"], "s2": Thing("new")}, port={"p1": Thing("x", OTHER)})
    found = compare(BEFORE, after, JOB, ())
    assert found.equal
    assert {(d.kind, d.id) for d in found.others} == {("server", "s2"), ("port", "p1"), ("volume", "v1")}


def test_what_is_gone_without_any_token_is_a_difference() -> None:
    after = inventory(volume=BEFORE.things["volume"])
    found = compare(BEFORE, after, JOB, ())
    assert [(d.kind, d.id) for d in found.gone] == [("server", "s1")]
    assert not found.equal


def test_imported_records_stay() -> None:
    after = inventory(**{**BEFORE.things, "backup": {"b1": Thing("mme"), "b2": Thing("not of the chain")}})
    found = compare(BEFORE, after, JOB, ["b1"])
    assert ([d.id for d in found.kept], [d.id for d in found.others]) == (["b1"], ["b2"])
    assert found.equal


@pytest.mark.parametrize("missing", ["server", "image"])
def test_what_could_not_be_read_is_unknown_and_not_equal(missing: str) -> None:
    things = {kind: its for kind, its in BEFORE.things.items() if kind != missing}
    found = compare(BEFORE, Inventory(things, {missing: "503"}), JOB, ())
    assert found.unknown
    assert not found.equal
    assert [c.unknown for c in found.counts if c.unknown] == ["after: 503"]
    assert found.gone == (), "not seen is not gone"


def test_durations_as_people_say_them() -> None:
    assert [seconds(s) for s in (None, 3.21, 95, 725, 7320)] == [
        "not measured", "3.2 s", "95 s", "12 min 5 s", "2 h 2 min"
    ]  # fmt: skip
