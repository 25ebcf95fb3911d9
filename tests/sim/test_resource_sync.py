"""Passes of a sync over simulated sites: what is made, changed and asked, what is told, and who may."""

from __future__ import annotations

from datetime import timedelta

import pytest

from multisite.domain.errors import Invalid
from multisite.resources.sync.kinds import KINDS
from multisite_lab.sim.faults import Rule
from tests.sim.deploy import ask
from tests.sim.syncs import ADMIN, MEMBER, TARGETS, Syncs


def test_a_pass_without_change_only_lists(syncs: Syncs) -> None:
    for number in range(20):
        syncs.group(
            "site1", f"g{number}", {"protocol": "tcp", "port_range_min": number + 1, "port_range_max": 99}
        )
    syncs.want("security-group", "server-group", "flavor", "volume-type")
    syncs.in_sync()
    before = syncs.asked()
    syncs.apply()
    new = {
        key: count - before.get(key, 0) for key, count in syncs.asked().items() if count > before.get(key, 0)
    }
    assert {key for key in new if key[0] != "GET"} == set()
    types = len(syncs.world.sites["site1"].sim.state.volume_types)
    assert sum(new.values()) <= 5 * 3 + 3 + types, new


def test_what_changes_at_the_source_changes_at_the_targets(syncs: Syncs) -> None:
    one = syncs.group("site1", "one")
    ask(
        syncs.here.cloud().compute,
        "POST",
        "/flavors",
        {"flavor": {"name": "f1", "vcpus": 2, "ram": 512, "disk": 1}},
    )
    syncs.want("security-group", "flavor")
    syncs.in_sync()
    syncs.rule("site1", one, protocol="tcp")
    body = {"security_group": {"name": "renamed", "description": "new"}}
    ask(syncs.here.cloud().network, "PUT", f"/security-groups/{one}", body)
    flavor = next(f for f in syncs.world.sites["site1"].sim.state.flavors.values() if f["name"] == "f1")
    flavor["extra_specs"] = {"hw:cpu_policy": "dedicated"}
    syncs.in_sync()
    for site in TARGETS:
        state = syncs.world.sites[site].sim.state
        assert syncs.groups(site) == syncs.groups("site1")
        assert any(g["description"] == "new" for g in state.security_groups.values())
        assert any(f["extra_specs"] == {"hw:cpu_policy": "dedicated"} for f in state.flavors.values())


def test_a_site_that_is_away_is_unknown_and_catches_up(syncs: Syncs) -> None:
    syncs.group("site1", "one")
    syncs.want("security-group")
    syncs.world.cut("site3")
    result = syncs.apply().result
    assert result.in_sync is None
    assert any(told.startswith("site3: security-group: site3 did not answer") for told in result.told)
    assert "one" in syncs.groups("site2")
    syncs.world.reconnect("site3")
    syncs.in_sync()
    assert "one" in syncs.groups("site3")


def test_a_refusal_is_told_and_the_rest_is_done(syncs: Syncs) -> None:
    for name in ("a", "b", "c"):
        syncs.group("site1", name)
    syncs.want("security-group")
    syncs.world.sites["site2"].strike(
        Rule("error", "network", "POST", "/security-groups", status=400, times=1)
    )
    result = syncs.apply().result
    assert result.in_sync is False
    assert len(syncs.groups("site2")) in (3, 4)
    assert len(syncs.groups("site3")) == 4
    syncs.in_sync()


def test_an_answer_that_is_lost_makes_no_second_one(syncs: Syncs) -> None:
    syncs.group("site1", "one", {"protocol": "tcp"})
    syncs.want("security-group", "server-group", "volume-type")
    body = {"server_group": {"name": "sg", "policy": "anti-affinity"}}
    assert syncs.here.cloud().compute.post("/os-server-groups", json=body, microversion="2.64").ok
    for site in TARGETS:
        for service, path in (("network", "/security-groups"), ("compute", "/os-server-groups")):
            syncs.world.sites[site].strike(Rule("lost", service, "POST", path, times=1))
    syncs.apply()
    syncs.in_sync()
    for site in TARGETS:
        state = syncs.world.sites[site].sim.state
        assert [g["name"] for g in state.server_groups.values()] == ["sg"]
        assert syncs.groups(site) == syncs.groups("site1")
        assert sum(g["name"] == "one" for g in state.security_groups.values()) == 1


def test_it_watches_by_itself_until_it_is_paused(syncs: Syncs) -> None:
    syncs.group("site1", "one")
    syncs.want("security-group", interval_seconds=60)
    syncs.syncs.run()
    assert "one" in syncs.groups("site2")
    syncs.group("site1", "two")
    syncs.syncs.run()
    assert "two" not in syncs.groups("site2"), "not due"
    syncs.now += timedelta(seconds=61)
    syncs.syncs.run()
    assert "two" in syncs.groups("site2")
    syncs.syncs.change(ADMIN, syncs.sync_id, {"paused": True})
    syncs.group("site1", "three")
    syncs.now += timedelta(seconds=61)
    syncs.syncs.run()
    assert "three" not in syncs.groups("site2")


def test_what_is_the_whole_sites_is_for_administrators(syncs: Syncs) -> None:
    for kind, row in KINDS.items():
        wanted = {"source_site": "site1", "target_sites": TARGETS, "kinds": [kind]}
        if row.for_administrators:
            with pytest.raises(Invalid, match="ask an administrator"):
                syncs.syncs.create(MEMBER, f"by-{kind}", **wanted)
        else:
            syncs.syncs.create(MEMBER, f"by-{kind}", **wanted)


def test_wrong_words_are_refused(syncs: Syncs) -> None:
    wanted = {"source_site": "site1", "target_sites": TARGETS, "kinds": ["flavor"]}
    for more, said in (
        ({"kinds": ["pizza"]}, "kinds: pizza: there are security-group"),
        ({"kinds": []}, "kinds: name each once"),
        ({"target_sites": ["site1"]}, "is the source"),
        ({"target_sites": ["site2", "site2"]}, "each once"),
        ({"interval_seconds": 1}, "interval_seconds: at least 10"),
    ):
        with pytest.raises(Invalid, match=said):
            syncs.syncs.create(ADMIN, "wrong", **{**wanted, **more})
