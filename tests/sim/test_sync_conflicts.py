"""Resources kept in sync: what was changed at a target, what is gone, and what a name is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from multisite.domain.resource_sync import OnConflict
from multisite_lab.sim.faults import Rule
from tests.sim.deploy import ask
from tests.sim.syncs import ADMIN, Syncs


@pytest.mark.parametrize("policy", OnConflict)
def test_what_was_changed_at_a_target(syncs: Syncs, policy: OnConflict) -> None:
    one = syncs.group("site1", "one")
    syncs.want("security-group", on_conflict=policy)
    syncs.in_sync()
    theirs = next(
        g for g in syncs.world.sites["site2"].sim.state.security_groups.values() if g["name"] == "one"
    )
    theirs["description"] = "by hand"
    result = syncs.apply().result
    if policy is OnConflict.STOP:
        assert result.in_sync is False
        assert "site2: security-group one: changed at the target: description" in result.told[0]
    assert theirs["description"] == ("of one" if policy is OnConflict.SOURCE else "by hand")
    body = {"security_group": {"description": "of the source, later"}}
    ask(syncs.here.cloud().network, "PUT", f"/security-groups/{one}", body)
    syncs.apply()
    wins = policy is not OnConflict.STOP
    assert theirs["description"] == ("of the source, later" if wins else "by hand")


def test_deleted_at_the_source_it_goes_where_multisite_made_it(syncs: Syncs) -> None:
    one, two = syncs.group("site1", "one"), syncs.group("site1", "two")
    syncs.group("site2", "two")
    syncs.want("security-group")
    syncs.in_sync()
    for id in (one, two):
        ask(syncs.here.cloud().network, "DELETE", f"/security-groups/{id}")
    syncs.in_sync()
    assert set(syncs.groups("site2")) == {"default", "two"}, "it was there before"
    assert set(syncs.groups("site3")) == {"default"}


def test_many_gone_at_once_are_not_deleted_unasked(syncs: Syncs) -> None:
    ids = [syncs.group("site1", f"g{n}") for n in range(8)]
    syncs.want("security-group")
    syncs.in_sync()
    for id in ids:
        ask(syncs.here.cloud().network, "DELETE", f"/security-groups/{id}")
    result = syncs.apply().result
    assert result.in_sync is False
    assert "gone at the source at once" in result.told[0]
    assert len(syncs.groups("site2")) == 9
    syncs.apply(delete_many=True)
    assert set(syncs.groups("site2")) == {"default"}


def test_absent_from_a_list_is_not_gone(syncs: Syncs) -> None:
    syncs.group("site1", "one")
    syncs.want("security-group")
    syncs.in_sync()
    rule = syncs.world.sites["site1"].strike(
        Rule("partial", "network", "GET", "/security-groups", keep=0, times=99)
    )
    result = syncs.apply().result
    assert result.in_sync is None
    assert any("could not be asked for" in told for told in result.told)
    assert "one" in syncs.groups("site2")
    syncs.world.sites["site1"].script.rules.remove(rule)
    syncs.in_sync()


def test_a_name_that_is_taken_by_another_is_told(syncs: Syncs) -> None:
    syncs.group("site1", "one", {"protocol": "tcp"})
    syncs.group("site2", "one")
    syncs.want("security-group")
    result = syncs.apply().result
    assert result.in_sync is False
    assert "one of this name is there, and differs in rules" in result.told[0]
    assert syncs.groups("site3")["one"] == syncs.groups("site1")["one"]
    syncs.syncs.change(ADMIN, syncs.sync_id, {"on_conflict": OnConflict.SOURCE})
    syncs.in_sync()
    assert syncs.groups("site2")["one"] == syncs.groups("site1")["one"]


def test_a_fixed_field_is_told(syncs: Syncs) -> None:
    flavors = syncs.world.sites["site1"].sim.state.flavors
    syncs.want("flavor")
    syncs.in_sync()
    next(iter(flavors.values()))["ram"] = 4096
    result = syncs.apply().result
    assert "ram cannot be changed: delete it there" in result.told[0]


def test_deleted_at_a_target_and_a_struggle(syncs: Syncs) -> None:
    syncs.group("site1", "one")
    syncs.want("security-group", on_conflict=OnConflict.SOURCE, target_sites=["site2"])
    syncs.in_sync()
    groups = syncs.world.sites["site2"].sim.state.security_groups
    for _ in range(5):
        theirs = next(id for id, g in groups.items() if g["name"] == "one")
        del groups[theirs]
        syncs.in_sync()
    del groups[next(id for id, g in groups.items() if g["name"] == "one")]
    result = syncs.apply().result
    assert "changed back 5 times within an hour" in result.told[0]
    syncs.now += timedelta(hours=2)
    syncs.in_sync()


def test_what_the_target_deleted_stays_deleted_when_its_word_counts(syncs: Syncs) -> None:
    syncs.group("site1", "one")
    syncs.want("security-group", on_conflict=OnConflict.TARGET)
    syncs.in_sync()
    groups = syncs.world.sites["site2"].sim.state.security_groups
    del groups[next(id for id, g in groups.items() if g["name"] == "one")]
    syncs.apply()
    syncs.in_sync()
    assert "one" not in syncs.groups("site2")


def test_two_of_one_name_are_two(syncs: Syncs) -> None:
    syncs.group("site1", "one", {"protocol": "tcp"})
    syncs.group("site1", "one", {"protocol": "udp"})
    there = syncs.group("site2", "one", {"protocol": "udp"})
    syncs.want("security-group")
    syncs.in_sync()
    rows = syncs.world.sites["site2"].sim.state.security_groups
    protocols = {
        id: {r["protocol"] for r in g["security_group_rules"]} for id, g in rows.items() if g["name"] == "one"
    }
    assert protocols[there] == {None, "udp"}
    assert len(protocols) == 2
