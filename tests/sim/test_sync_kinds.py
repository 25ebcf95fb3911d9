"""Resources kept in sync: what is peculiar to a kind."""

from __future__ import annotations

import json
from typing import Any

from multisite.domain.resource_sync import OnConflict
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.nova.resources import ACCESS
from multisite_lab.sim.site import Wire
from tests.sim.deploy import ask
from tests.sim.syncs import ADMIN, TARGETS, Syncs


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


def qos_policy(syncs: Syncs, name: str, **rules: dict[str, Any]) -> str:
    """At the source; ``rules``: by type."""
    network = syncs.here.cloud().network
    made = str(ask(network, "POST", "/qos/policies", {"policy": {"name": name}})["policy"]["id"])
    for kind, rule in rules.items():
        ask(network, "POST", f"/qos/policies/{made}/{kind}_rules", {f"{kind}_rule": rule})
    return made


def qos(syncs: Syncs, site: str) -> dict[str, list[str]]:
    """By name the rules, without their ids."""
    rows = syncs.world.sites[site].settle().state.qos_policies.values()
    own = ("id", "qos_policy_id")
    return {
        row["name"]: sorted(
            json.dumps({k: v for k, v in r.items() if k not in own}, sort_keys=True) for r in row["rules"]
        )
        for row in rows
    }


GOLD = {
    "bandwidth_limit": {"max_kbps": 1000},
    "dscp_marking": {"dscp_mark": 26},
    "minimum_bandwidth": {"min_kbps": 500},
}


def test_qos_policies_have_their_rules_whatever_order_a_change_needs(syncs: Syncs) -> None:
    gold = qos_policy(syncs, "gold", **GOLD)
    syncs.want("qos-policy")
    syncs.in_sync()
    assert qos(syncs, "site2") == qos(syncs, "site3") == qos(syncs, "site1") != {}
    source = syncs.world.sites["site1"].sim.state.qos_policies[gold]
    owners = {row["project_id"] for row in syncs.world.sites["site2"].sim.state.qos_policies.values()}
    assert owners == {syncs.here.clouds.open("site2", for_project=ADMIN.project_id).project_id}
    for limit, least in ((400, 300), (2000, 1500), (1600, 1600)):
        for rule in source["rules"]:
            rule |= {"bandwidth_limit": {"max_kbps": limit}, "minimum_bandwidth": {"min_kbps": least}}.get(
                rule["type"], {}
            )
        source["description"] = f"at most {limit}"
        syncs.in_sync()
        assert qos(syncs, "site2") == qos(syncs, "site1")
        assert not any("conflict" in told for told in syncs.syncs.get(ADMIN, syncs.sync_id).result.told)
    source["rules"] = [rule for rule in source["rules"] if rule["type"] != "dscp_marking"]
    source["rules"].append({"id": "r", "qos_policy_id": gold, "type": "packet_rate_limit", "max_kpps": 1})
    result = syncs.apply().result
    assert result.in_sync is True
    assert result.told == ("qos-policy gold: a rule of type packet_rate_limit is not carried",)
    assert len(qos(syncs, "site2")["gold"]) == 2


def test_a_qos_rule_whose_answer_is_lost_is_made_once(syncs: Syncs) -> None:
    qos_policy(syncs, "gold", **GOLD)
    syncs.want("qos-policy")
    for path in ("/qos/policies$", "_rules$"):
        syncs.world.sites["site2"].strike(Rule("lost", "network", "POST", path, times=1))
    syncs.apply()
    syncs.in_sync()
    assert qos(syncs, "site2") == qos(syncs, "site1")


def test_a_qos_rule_that_a_hand_changed_is_told_and_a_file_says_rules(syncs: Syncs) -> None:
    qos_policy(syncs, "gold", **GOLD)
    syncs.want_file(syncs.exported("qos-policy"))
    syncs.in_sync()
    assert qos(syncs, "site2") == qos(syncs, "site1")
    (theirs,) = syncs.world.sites["site2"].sim.state.qos_policies.values()
    theirs["rules"][0]["max_kbps"] = 7000
    assert "site2: qos-policy gold: changed at the target: rules" in syncs.apply().result.told[0]
    assert theirs["rules"][0]["max_kbps"] == 7000


def test_a_site_without_qos_is_told(syncs: Syncs) -> None:
    qos_policy(syncs, "gold", **GOLD)
    syncs.want("qos-policy")
    syncs.world.sites["site3"].sim.settings.lacks = ("qos",)
    result = syncs.apply().result
    assert result.in_sync is None
    assert "Neutron has no extension qos: leave out the kind" in result.told[0]
    assert qos(syncs, "site2") == qos(syncs, "site1")


def test_that_a_volume_type_is_encrypted_is_told(syncs: Syncs) -> None:
    volume = syncs.here.cloud().volume
    for name in ("clear", "secret"):
        made = ask(volume, "POST", "/types", {"volume_type": {"name": name}})["volume_type"]["id"]
    wanted = {
        "provider": "luks",
        "cipher": "aes-xts-plain64",
        "key_size": 256,
        "control_location": "front-end",
    }
    ask(volume, "POST", f"/types/{made}/encryption", {"encryption": wanted})
    syncs.want("volume-type")
    result = syncs.apply().result
    assert result.in_sync is True
    note = "its encryption (luks, aes-xts-plain64, front-end) is not carried: set it at the targets before a volume has"
    assert result.told == (f"volume-type secret: {note} the type",)
    assert syncs.apply().result.told == result.told, "as long as it is so"
    assert f"# volume-type secret: {note}" in syncs.exported("volume-type")
    broken = Rule("error", "volume", "GET", "/encryption$", status=500, times=99)
    syncs.world.sites["site1"].strike(broken)
    (told,) = syncs.apply().result.told
    assert "read the encryption of volume type" in told


def test_the_projects_access_to_a_private_flavor_is_carried_and_no_others(syncs: Syncs) -> None:
    compute = syncs.here.cloud().compute
    ours = {
        site: syncs.here.clouds.open(site, for_project=ADMIN.project_id).project_id
        for site in syncs.world.sites
    }
    others = next(
        a.project_id for a in syncs.world.sites["site1"].sim.accounts if a.project_id != ours["site1"]
    )
    for name, projects in (("mine", [ours["site1"], others]), ("theirs", [others])):
        wanted = {"name": name, "vcpus": 1, "ram": 256, "disk": 1, "os-flavor-access:is_public": False}
        made = ask(compute, "POST", "/flavors", {"flavor": wanted})["flavor"]["id"]
        for project in projects:
            ask(compute, "POST", f"/flavors/{made}/action", {"addTenantAccess": {"tenant": project}})
    syncs.want("flavor", on_conflict=OnConflict.SOURCE)
    syncs.in_sync()
    told = syncs.syncs.get(ADMIN, syncs.sync_id).result.told
    assert "flavor mine: which other projects may use a private flavor is not carried" in told
    for site in TARGETS:
        assert access(syncs, site) == {"mine": (ours[site],), "theirs": ()}
    flavors = syncs.world.sites["site1"].sim.state.flavors.values()
    (mine,) = [row for row in flavors if row["name"] == "mine"]
    mine[ACCESS] = (others,)
    syncs.in_sync()
    assert access(syncs, "site2") == {"mine": (), "theirs": ()}


def access(syncs: Syncs, site: str) -> dict[str, tuple[str, ...]]:
    rows = syncs.world.sites[site].settle().state.flavors.values()
    return {row["name"]: tuple(row.get(ACCESS, ())) for row in rows if not row["os-flavor-access:is_public"]}
