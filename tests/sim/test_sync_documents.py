"""Desired state from a file: what simulated sites have afterwards, what is a conflict, what is left alone, who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.resource_sync import OnConflict
from multisite.resources.sync.kinds import KINDS
from tests.sim.deploy import ask
from tests.sim.syncs import ADMIN, MEMBER, TARGETS, Syncs

GROUPS = """
version: 1
resources:
  security-group:
  - name: web
    description: front
    rules:
    - {direction: ingress, protocol: tcp, port_range_min: 443, port_range_max: 443, remote_ip_prefix: 10.1.2.3/16}
    - {direction: ingress, protocol: udp, remote_group: db}
  - name: db
    rules: []
"""
FLAVOR = "version: 1\nresources:\n  flavor:\n  - {name: small, vcpus: 1, ram: 256, disk: 1}\n"


def group(syncs: Syncs, name: str, site: str = "site2") -> dict[str, Any]:
    rows = syncs.world.sites[site].settle().state.security_groups.values()
    (found,) = [row for row in rows if row["name"] == name]
    return found


def protocols(syncs: Syncs, site: str) -> list[tuple[str, list[str]]]:
    """Of the rules of every group, two of a name too."""
    rows = syncs.world.sites[site].settle().state.security_groups.values()
    return sorted((r["name"], sorted(str(o["protocol"]) for o in r["security_group_rules"])) for r in rows)


def new_version(syncs: Syncs, *changes: tuple[str, str]) -> str:
    """Of the file, with texts in place of others."""
    text = syncs.syncs.get(ADMIN, syncs.sync_id).document or ""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    syncs.syncs.change(ADMIN, syncs.sync_id, {"document": text})
    return text


def test_what_a_file_says_is_made_and_a_new_version_changes_it(syncs: Syncs) -> None:
    syncs.want_file(GROUPS)
    assert ("create", "site2", "web") in syncs.plan()
    syncs.in_sync()
    for site in TARGETS:
        assert syncs.groups(site)["web"] == [
            ("ingress", "IPv4", "tcp", "443", ""), ("ingress", "IPv4", "udp", "None", "db"),
        ]  # fmt: skip
        assert syncs.groups(site)["db"] == []
        prefixes = {r["remote_ip_prefix"] for r in group(syncs, "web", site)["security_group_rules"]}
        assert prefixes == {"10.1.0.0/16", None}
    web = group(syncs, "web")["id"]
    assert syncs.syncs.get(ADMIN, syncs.sync_id).result.in_sync is True
    new_version(syncs, ("name: web", "id: web\n    name: www"), ("udp", "sctp"))
    assert syncs.syncs.get(ADMIN, syncs.sync_id).result.at is None, "nothing is known of the new version"
    syncs.in_sync()
    assert group(syncs, "www")["id"] == web, "renamed, not made anew"
    assert ("ingress", "IPv4", "sctp", "None", "db") in syncs.groups("site2")["www"]


def test_the_export_of_a_site_makes_others_alike_and_theirs_is_the_same_text(syncs: Syncs) -> None:
    one = syncs.group("site1", "one", {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22})
    syncs.rule("site1", one, protocol="udp", remote_group_id=one)
    for protocol in ("icmp", "tcp"):
        syncs.group("site1", "twice", {"protocol": protocol})
    flavor = {"name": "f1", "vcpus": 2, "ram": 512, "disk": 1, "rxtx_factor": 2.0}
    ask(syncs.here.cloud().compute, "POST", "/flavors", {"flavor": flavor})
    body = {"server_group": {"name": "sg", "policy": "anti-affinity"}}
    assert syncs.here.cloud().compute.post("/os-server-groups", json=body, microversion="2.64").ok
    users = {a.user_name: a.user_id for a in syncs.world.sites["site1"].sim.accounts}
    row = {"name": "mine", "public_key": "ssh-ed25519 AAAA x", "fingerprint": "", "type": "ssh"}
    syncs.world.sites["site1"].sim.state.keypairs[users["member"], "mine"] = row
    kinds = tuple(kind for kind in KINDS if kind != "image")
    text = syncs.exported(*kinds)
    syncs.want_file(text)
    syncs.in_sync()
    for site in TARGETS:
        assert protocols(syncs, site) == protocols(syncs, "site1")
        assert len(syncs.world.sites[site].sim.state.keypairs) == 1
        again = syncs.exported("security-group", "flavor", "server-group", "keypair", site=site)
        assert {
            line for line in again.splitlines() if "id:" not in line and "remote_group" not in line
        } <= set(text.splitlines())
    assert syncs.exported(*kinds) == text
    before = syncs.asked()
    syncs.apply()
    new = {key: n - before.get(key, 0) for key, n in syncs.asked().items() if n > before.get(key, 0)}
    assert {method for method, _ in new} == {"GET"}


def test_a_kind_that_is_left_out_is_left_alone_and_an_empty_one_is_none(syncs: Syncs) -> None:
    syncs.group("site2", "db")
    syncs.want_file(GROUPS, on_conflict=OnConflict.SOURCE)
    syncs.in_sync()
    syncs.syncs.change(ADMIN, syncs.sync_id, {"document": FLAVOR})
    syncs.in_sync()
    assert {"web", "db"} <= set(syncs.groups("site2")), "the kind is not said any more"
    empty = "version: 1\nresources: {security-group: []}"
    syncs.syncs.change(ADMIN, syncs.sync_id, {"document": empty})
    assert ("delete", "site3", "web") in syncs.plan()
    syncs.in_sync()
    assert set(syncs.groups("site2")) == {"default", "db"}, "what was there before stays"
    assert set(syncs.groups("site3")) == {"default"}
    with pytest.raises(Invalid, match=r"line 3: resources\.security-group: nothing is said: write `\[\]`"):
        syncs.syncs.change(ADMIN, syncs.sync_id, {"document": "version: 1\nresources:\n  security-group:\n"})


def test_many_left_out_at_once_are_not_deleted_unasked(syncs: Syncs) -> None:
    entries = ", ".join(f"{{name: g{n}}}" for n in range(8))
    syncs.want_file(f"version: 1\nresources:\n  security-group: [{entries}]\n")
    syncs.in_sync()
    new_version(syncs, (entries, "{name: g0}"))
    assert "gone at the source at once" in syncs.apply().result.told[0]
    assert len(syncs.groups("site2")) == 9
    syncs.apply(delete_many=True)
    assert set(syncs.groups("site2")) == {"default", "g0"}


@pytest.mark.parametrize("policy", OnConflict)
def test_what_was_changed_at_a_target(syncs: Syncs, policy: OnConflict) -> None:
    syncs.want_file(GROUPS, on_conflict=policy)
    syncs.in_sync()
    group(syncs, "web")["description"] = "by hand"
    result = syncs.apply().result
    if policy is OnConflict.STOP:
        assert result.in_sync is False
        assert "site2: security-group web: changed at the target: description" in result.told[0]
    wins = policy is OnConflict.SOURCE
    assert group(syncs, "web")["description"] == ("front" if wins else "by hand")
    new_version(syncs, ("front", "back"))
    syncs.apply()
    assert group(syncs, "web")["description"] == ("by hand" if policy is OnConflict.STOP else "back")
    assert group(syncs, "web", "site3")["description"] == "back"


def test_a_field_that_is_not_said_is_the_targets_own(syncs: Syncs) -> None:
    syncs.want_file(GROUPS)
    syncs.in_sync()
    group(syncs, "db")["description"] = "by hand"
    syncs.in_sync()
    assert group(syncs, "db")["description"] == "by hand"
    new_version(syncs, ("name: db", "name: db\n    description: data"))
    result = syncs.apply().result
    assert "site2: security-group db: changed at the target: description" in result.told[0]
    assert group(syncs, "db", "site3")["description"] == "data", "there nobody had changed it"
    syncs.syncs.change(ADMIN, syncs.sync_id, {"on_conflict": OnConflict.SOURCE})
    syncs.in_sync()
    assert group(syncs, "db")["description"] == "data"


def test_a_field_that_is_not_said_any_more_stays(syncs: Syncs) -> None:
    syncs.want_file(GROUPS)
    syncs.in_sync()
    new_version(syncs, ("    description: front\n", ""))
    syncs.in_sync()
    assert group(syncs, "web")["description"] == "front"


def test_a_fixed_field_and_what_a_size_is_by_default(syncs: Syncs) -> None:
    syncs.want_file(FLAVOR)
    syncs.in_sync()
    (small,) = [f for f in syncs.world.sites["site2"].sim.state.flavors.values() if f["name"] == "small"]
    assert (small["ram"], small["swap"] or 0) == (256, 0)
    new_version(syncs, ("ram: 256", "ram: 512"))
    assert "ram cannot be changed: delete it there" in syncs.apply().result.told[0]


def test_the_word_of_a_pass_with_an_older_version_does_not_count(syncs: Syncs) -> None:
    syncs.want_file(GROUPS)
    older = syncs.syncs.get(ADMIN, syncs.sync_id)
    found = syncs.syncs._runner.run(older)
    new_version(syncs, ("front", "back"))
    syncs.syncs._keep(found)
    assert syncs.syncs.get(ADMIN, syncs.sync_id).result.at is None
    syncs.syncs._keep(syncs.syncs._runner.run(syncs.syncs.get(ADMIN, syncs.sync_id)))
    assert syncs.syncs.get(ADMIN, syncs.sync_id).result.in_sync is True


def test_it_watches_a_file_too(syncs: Syncs) -> None:
    syncs.want_file(GROUPS, interval_seconds=60)
    syncs.syncs.run()
    assert "web" in syncs.groups("site2")
    new_version(syncs, ("name: web", "name: www"))
    syncs.syncs.run()
    assert set(syncs.groups("site2")) == {"default", "db", "www"}, "a new version is due at once"
    syncs.now += timedelta(seconds=61)
    syncs.syncs.run()


def test_rights_are_those_of_a_source_site(syncs: Syncs) -> None:
    with pytest.raises(Invalid, match="flavor: they are the whole site's: ask an administrator"):
        syncs.syncs.create(MEMBER, "mine", document=FLAVOR, target_sites=TARGETS)
    with pytest.raises(Invalid, match="ask an administrator"):
        syncs.syncs.export(MEMBER, "site1", ["keypair"])
    mine = syncs.syncs.create(MEMBER, "mine", document=GROUPS, target_sites=TARGETS)
    with pytest.raises(Invalid, match="ask an administrator"):
        syncs.syncs.change(MEMBER, mine.id, {"document": FLAVOR})
    assert syncs.syncs.get(MEMBER, mine.id).document == GROUPS
    assert "web" not in syncs.syncs.export(MEMBER, "site2", ["security-group"])[0]


def test_what_does_not_go_together_is_refused(syncs: Syncs) -> None:
    for wanted, said in (
        ({"document": GROUPS, "source_site": "site1"}, "source_site, document: give one of them"),
        ({}, "source_site, document: give one of them"),
        ({"document": GROUPS, "kinds": ["flavor"]}, "kinds: the document says them"),
        ({"document": GROUPS, "only_tag": "vnf"}, "only_tag: a document says what is wanted"),
        (
            {"document": GROUPS.replace("remote_group: db", "remote_group: none")},
            r"line 9: .*'none' is no entry here",
        ),
    ):
        with pytest.raises(Invalid, match=said):
            syncs.syncs.create(ADMIN, "wrong", **{"target_sites": TARGETS, "kinds": None, **wanted})
    with pytest.raises(Invalid, match="image: in no document"):
        syncs.syncs.export(ADMIN, "site1", ["image"])
    syncs.want("security-group")
    with pytest.raises(Invalid, match="the source of this sync is site site1: make another sync"):
        syncs.syncs.change(ADMIN, syncs.sync_id, {"document": GROUPS})
    syncs.want_file(GROUPS)
    with pytest.raises(Invalid, match="kinds: the document says them"):
        syncs.syncs.change(ADMIN, syncs.sync_id, {"kinds": ["flavor"]})
