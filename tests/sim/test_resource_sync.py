"""Resources of simulated sites kept in sync: what is made, changed and deleted, what is told, what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid
from multisite.domain.resource_sync import Act, OnConflict, ResourceSync
from multisite.jobs.model import JobState
from multisite.resources.sync.kinds import KINDS
from multisite.resources.sync.service import ResourceSyncService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.site import Wire
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import ask
from tests.sim.service import Service, running_service

ADMIN = Caller("u-1", "olga", "p1", "vnf", frozenset({"admin"}), "req-1")
MEMBER = Caller("u-2", "mia", "p1", "vnf", frozenset({"member"}), "req-2")
TARGETS = ("site2", "site3")


class Syncs:
    def __init__(self, service: Service, world: World) -> None:
        self.here, self.world = service, world
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.syncs = ResourceSyncService(service.database, service.jobs, service.clouds, lambda: self.now)
        self.sync_id = ""

    def want(self, *kinds: str, **more: Any) -> None:
        wanted = {"source_site": "site1", "target_sites": TARGETS, "kinds": kinds} | more
        self.sync_id = self.syncs.create(ADMIN, f"sync-{len(self.syncs.list(ADMIN))}", **wanted).id

    def apply(self, **more: bool) -> ResourceSync:
        job = self.here.rest(self.syncs.apply(ADMIN, self.sync_id, **more))
        assert job.state is JobState.DONE, job.error
        return self.syncs.get(ADMIN, self.sync_id)

    def in_sync(self) -> None:
        """By what the sites have, and by the word of a plan and another pass."""
        assert self.apply().result.in_sync is True, self.syncs.get(ADMIN, self.sync_id).result.told
        assert [c for c in self.syncs.plan(ADMIN, self.sync_id) if c.act is not Act.ACCEPT] == []

    def plan(self) -> list[tuple[str, str, str]]:
        return [(str(c.act), c.target_site, c.name) for c in self.syncs.plan(ADMIN, self.sync_id)]

    def group(self, site: str, name: str, *rules: dict[str, Any]) -> str:
        network = self.here.cloud(site).network
        body = {"security_group": {"name": name, "description": f"of {name}"}}
        made = str(ask(network, "POST", "/security-groups", body)["security_group"]["id"])
        for rule in rules:
            self.rule(site, made, **rule)
        return made

    def rule(self, site: str, group: str, **fields: Any) -> None:
        body = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", **fields}
        ask(self.here.cloud(site).network, "POST", "/security-group-rules", {"security_group_rule": body})

    def groups(self, site: str) -> dict[str, list[tuple[Any, ...]]]:
        """By name the rules, groups in them by name."""
        rows = self.world.sites[site].settle().state.security_groups
        return {
            row["name"]: sorted(
                (r["direction"], r["ethertype"], str(r["protocol"]), str(r["port_range_min"]),
                 rows[r["remote_group_id"]]["name"] if r["remote_group_id"] else "")
                for r in row["security_group_rules"]
            )
            for row in rows.values()
        }  # fmt: skip

    def asked(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for site in self.world.sites.values():
            for seen in site.script.log:
                if seen.service not in ("identity", ""):
                    key = (seen.method, seen.path)
                    found[key] = found.get(key, 0) + 1
        return found


@pytest.fixture
def syncs(tmp_path: Path) -> Iterator[Syncs]:
    with make_world(("site1", "site2", "site3")) as world, running_service(tmp_path, world) as service:
        yield Syncs(service, world)


def test_groups_that_name_each_other(syncs: Syncs) -> None:
    one = syncs.group("site1", "one", {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22})
    two = syncs.group("site1", "two", {"protocol": "udp", "remote_group_id": one})
    syncs.rule("site1", one, protocol="icmp", remote_group_id=two)
    syncs.rule("site1", one, protocol="tcp", remote_group_id=one)
    syncs.want("security-group")
    assert {act for act, _, name in syncs.plan() if name != "default"} == {"create"}
    result = syncs.apply().result
    assert result.in_sync is True, result.told
    for site in TARGETS:
        assert syncs.groups(site) == syncs.groups("site1")
    syncs.in_sync()


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
    assert sum(new.values()) <= 4 * 3 + 3, new


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


def test_key_pairs_are_of_the_same_users(syncs: Syncs) -> None:
    users = {a.user_name: a.user_id for a in syncs.world.sites["site1"].sim.accounts}
    keys = syncs.world.sites["site1"].sim.state.keypairs
    for number, user in enumerate(("operator", "member", "other")):
        row = {"name": "mine", "public_key": f"ssh-ed25519 AAAA{number} x", "fingerprint": "", "type": "ssh"}
        keys[users[user], "mine"] = row
    syncs.want("keypair")
    syncs.in_sync()
    for site in TARGETS:
        sim = syncs.world.sites[site].sim
        names = {a.user_id: a.user_name for a in sim.accounts}
        found = {(names[user], name): row["public_key"] for (user, name), row in sim.state.keypairs.items()}
        assert found == {
            ("operator", "mine"): "ssh-ed25519 AAAA0 x", ("member", "mine"): "ssh-ed25519 AAAA1 x",
        }, "not those of a user of another project"  # fmt: skip
    del keys[users["member"], "mine"]
    syncs.in_sync()
    assert len(syncs.world.sites["site2"].sim.state.keypairs) == 1


def test_a_user_that_is_not_there_is_told(syncs: Syncs) -> None:
    users = {a.user_name: a.user_id for a in syncs.world.sites["site1"].sim.accounts}
    row = {"name": "mine", "public_key": "ssh-ed25519 AAAA x", "fingerprint": "", "type": "ssh"}
    syncs.world.sites["site1"].sim.state.keypairs[users["member"], "mine"] = row
    sim = syncs.world.sites["site2"].sim
    sim.accounts = tuple(a for a in sim.accounts if a.user_name != "member")
    syncs.want("keypair")
    result = syncs.apply().result
    assert result.in_sync is False
    assert "no user member@Default has a role in project" in result.told[0]
    assert len(syncs.world.sites["site3"].sim.state.keypairs) == 1


def image(syncs: Syncs, name: str, data: bytes, **fields: Any) -> str:
    cloud = syncs.here.cloud()
    wanted = {
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "private",
    } | fields
    made = str(ask(cloud.image, "POST", "/images", wanted)["id"])
    headers = {"Content-Type": "application/octet-stream"}
    assert cloud.image.put(f"/images/{made}/file", data=data, headers=headers).ok
    return made


def images(syncs: Syncs, site: str) -> dict[str, Any]:
    state = syncs.world.sites[site].settle().state
    return {
        row["name"]: (
            state.image_data[row["id"]],
            row["tags"],
            row["visibility"],
            row.get("hw_disk_bus"),
            row["protected"],
        )
        for row in state.images.values()
        if row["id"] in state.image_data and not row["os_hidden"]
    }


def test_images_follow_a_tag(syncs: Syncs) -> None:
    one = image(syncs, "one", b"1" * 3000000, tags=["vnf"], hw_disk_bus="scsi", protected=True)
    image(syncs, "two", b"2", tags=["other"])
    syncs.want("image", only_tag="vnf")
    syncs.in_sync()
    for site in TARGETS:
        assert images(syncs, site) == {"one": (b"1" * 3000000, ["vnf"], "private", "scsi", True)}
    state = syncs.world.sites["site1"].sim.state
    state.images[one] |= {"hw_disk_bus": "virtio", "name": "renamed"}
    third = image(syncs, "three", b"3", tags=["vnf"])
    syncs.in_sync()
    assert set(images(syncs, "site2")) == {"renamed", "three"}
    assert images(syncs, "site2")["renamed"][3] == "virtio"
    state.images[one]["tags"] = ["old"]
    del state.images[third]
    syncs.in_sync()
    assert set(images(syncs, "site3")) == {"renamed"}, (
        "without the tag it stays; deleted at the source it goes"
    )
    puts = sum(s.method == "PUT" for site in TARGETS for s in syncs.world.sites[site].script.log)
    syncs.in_sync()
    assert sum(s.method == "PUT" for site in TARGETS for s in syncs.world.sites[site].script.log) == puts


def test_an_image_that_arrives_damaged_is_not_shown_and_is_tried_again(syncs: Syncs) -> None:
    image(syncs, "one", b"1" * 100)
    syncs.want("image")
    site = syncs.world.sites["site2"]
    reply = site.reply

    def wrong(wire: Wire) -> Any:
        if wire.path.endswith("/file"):
            return reply(Wire(wire.method, wire.path, wire.query, wire.headers, b"damaged"))
        return reply(wire)

    site.reply = wrong  # type: ignore[method-assign]
    result = syncs.apply().result
    assert result.in_sync is False
    assert any("not what was sent" in told for told in result.told)
    assert images(syncs, "site2") == {}
    assert set(images(syncs, "site3")) == {"one"}
    site.reply = reply  # type: ignore[method-assign]
    syncs.in_sync()
    assert len(syncs.world.sites["site2"].sim.state.images) == 1


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
