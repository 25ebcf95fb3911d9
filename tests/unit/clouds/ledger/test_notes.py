"""Comparing answered rows with the ledger: what is lost is said, once, in order, and never too much of it."""

from __future__ import annotations

import random

import pytest

from multisite.clouds.ledger import LEDGER
from multisite.clouds.ledger.model import Kind, Verdict
from multisite.clouds.ledger.network import NETWORK, PORT
from multisite.clouds.ledger.notes import Notes, lost

GPU = {"device_profile": "gpu"}


def port(number: int, **more: object) -> tuple[str, dict[str, object]]:
    name = str(more.pop("name", f"mme-{number}"))
    return name, {"id": f"id-{number}", "name": name, "admin_state_up": True, **more}


def test_what_is_at_its_default_says_nothing() -> None:
    row = {field.name: field.unset[0] for field in PORT.fields}
    assert lost(PORT, [("mme-1", row)]) == []


def test_what_is_set_and_not_carried_is_said_with_its_remedy() -> None:
    assert lost(PORT, [port(1, **GPU)]) == [
        "port mme-1: device profile gpu is not carried: make the port at the target by hand with "
        "openstack port create --device-profile, and attach it"
    ]


def test_what_is_of_the_site_or_derived_says_nothing() -> None:
    assert lost(PORT, [port(1, status="ACTIVE", device_id="s1", **{"binding:host_id": "host"})]) == []


def test_a_field_that_no_table_knows_is_said_without_its_value() -> None:
    (note,) = lost(PORT, [port(1, brand_new="secret"), port(2, other=None)])
    assert note.startswith("port mme-1: this release knows nothing of brand_new: ")
    assert "secret" not in note


def test_equal_values_are_said_together_and_others_each() -> None:
    (same,) = lost(PORT, [port(2, **GPU), port(1, **GPU)])
    assert same.startswith("ports mme-1, mme-2: device profile gpu is not carried: ")
    (differ,) = lost(PORT, [port(1, **GPU), port(2, device_profile="fpga")])
    assert differ.startswith("ports mme-1 (gpu), mme-2 (fpga): device profile is not carried: ")


def test_things_of_one_name_are_told_apart_by_their_ids() -> None:
    (note,) = lost(PORT, [port(1, name="lan", **GPU), port(2, name="lan"), port(3, name="wan", **GPU)])
    assert note.startswith("ports lan (id-1), wan: ")


def test_notes_are_few_whatever_there_is() -> None:
    rows = [port(n, **{f"new{m}": 1 for m in range(50)}, **GPU, hints={"a": "x" * 1000}) for n in range(900)]
    found = lost(PORT, rows)
    assert len(found) == 3
    assert all(len(note) < 600 for note in found)
    assert "and 895 more" in found[0]
    assert "and 45 more" in found[-1]


def test_the_order_does_not_depend_on_that_of_the_answers() -> None:
    rows = [port(n, **GPU, brand_new=n, admin_state_up=n % 2 == 0) for n in range(20)]
    again = random.Random(7).sample(rows, len(rows))
    assert lost(PORT, rows) == lost(PORT, again)


def test_sentences_of_readers_come_first_and_each_once() -> None:
    notes = Notes()
    for _ in range(2):
        notes.compare(NETWORK, {"id": "n", "name": "oam", "vlan_transparent": True})
        notes.compare(PORT, {"id": "p", "name": "", **GPU})
        notes.add("something else")
    first, second, third = notes.all()
    assert first == "something else"
    assert second.startswith("port p: device profile gpu")
    assert third.startswith("network oam: it is transparent for VLANs")


@pytest.mark.parametrize("kind", LEDGER, ids=lambda kind: kind.name)
def test_every_field_has_one_verdict_and_what_is_lost_a_remedy(kind: Kind) -> None:
    names = [field.name for field in kind.fields]
    assert len(set(names)) == len(names)
    for field in kind.fields:
        assert field.what or field.told, f"{field.name}: says nothing"
        if field.verdict is Verdict.NOT_CARRIED:
            assert field.remedy, f"{field.name}: lost, and nothing to do about it"
        if field.told:
            assert field.remedy, f"{field.name}: told, without a remedy"
