"""A token is found on every kind, by list calls only, and on nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from multisite.clouds import call
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import Failed, SiteError, UnknownOutcome, Unreachable
from multisite.clouds.resources import (
    KINDS,
    Kind,
    ensure,
    find,
    find_of_job,
    lifecycle,
    remove,
    tag_and_describe,
)
from multisite.clouds.resources.left import left_by_job
from multisite.clouds.resources.tokens import checked, mark, named

from .conftest import FakeCloud

TOKEN = "multisite:7c1a:restore:db-root"
OTHER_STEP = "multisite:7c1a:boot"
OTHER_JOB = "multisite:7c1a2:restore:db-root"

PATHS = {
    "server": ("compute", "/servers/detail", "servers"),
    "volume": ("block-storage", "/volumes/detail", "volumes"),
    "snapshot": ("block-storage", "/snapshots/detail", "snapshots"),
    "backup": ("block-storage", "/backups/detail", "backups"),
    "network": ("network", "/networks", "networks"),
    "subnet": ("network", "/subnets", "subnets"),
    "port": ("network", "/ports", "ports"),
    "security_group": ("network", "/security-groups", "security_groups"),
    "router": ("network", "/routers", "routers"),
    "trunk": ("network", "/trunks", "trunks"),
    "floating_ip": ("network", "/floatingips", "floatingips"),
    "group_snapshot": ("block-storage", "/group_snapshots/detail", "group_snapshots"),
    "flavor": ("compute", "/flavors/detail", "flavors"),
    "keypair": ("compute", "/os-keypairs", "keypairs"),
    "server_group": ("compute", "/os-server-groups", "server_groups"),
    "image": ("image", "/images", "images"),
}


def made(kind: Kind, token: str, number: int) -> dict[str, Any]:
    """What the list shows of something that was created with ``mark`` (and, every other one, sealed)."""
    row: dict[str, Any] = {"id": f"{kind}-{number}", "name": "db", "status": "ok", "metadata": {}, "tags": []}
    row |= mark(kind, token, {"name": "db"})
    if row.get("description") and number % 2 and kind not in ("flavor", "group_snapshot"):
        row |= {"tags": ["mine", token], "description": "for people"}
    return row


def listing(fake: FakeCloud, kind: Kind, rows: list[dict[str, Any]]) -> None:
    service, path, key = PATHS[kind]
    shown = [{"keypair": row} for row in rows] if kind == "keypair" else rows
    fake.json("GET", service, path, {key: shown})


def test_every_kind_is_listed() -> None:
    assert set(PATHS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_find(fake: FakeCloud, site: CloudSite, kind: Kind) -> None:
    rows = [made(kind, token, n) for n, token in enumerate([TOKEN, TOKEN, OTHER_STEP, OTHER_JOB])]
    rows.append({"id": "x", "name": "people's", "description": None, "metadata": None, "tags": []})
    listing(fake, kind, rows)
    assert [f.id for f in find(site, kind, TOKEN)] == [f"{kind}-0", f"{kind}-1"]
    assert len(fake.sent("GET", PATHS[kind][1])) <= 2


def test_find_of_job(fake: FakeCloud, site: CloudSite) -> None:
    for kind in KINDS:
        listing(fake, kind, [made(kind, token, n) for n, token in enumerate([TOKEN, OTHER_STEP, OTHER_JOB])])
    found = find_of_job(site, "7c1a")
    assert sorted((f.kind, f.id) for f in found) == sorted((k, f"{k}-{n}") for k in KINDS for n in (0, 1))
    assert {f.token for f in found if f.kind == "volume"} == {TOKEN, OTHER_STEP}
    lists = [r for r in fake.mock.request_history if "/v2" in r.path or "/v3/p1" in r.path]
    assert len(lists) < 2 * len(KINDS)


def test_find_of_job_of_a_site_without_a_service(fake: FakeCloud, site: CloudSite) -> None:
    fake.missing.add("block-storage")
    for kind in KINDS:
        listing(fake, kind, [])
    assert find_of_job(site, "7c1a") == []


@pytest.mark.parametrize(
    "kind", ["NotFound", "HTTPNotFound"]
)  # the second is the one that hides what it means
def test_a_neutron_without_an_extension_has_none_of_its_kinds(
    fake: FakeCloud, site: CloudSite, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(call, "ATTEMPTS", 1)
    said = {"NeutronError": {"type": kind, "message": "The resource could not be found.", "detail": ""}}
    fake.json("GET", "network", "/routers", said, 404)
    fake.json("GET", "network", "/extensions", {"extensions": [{"alias": "tag", "name": "Tags"}]})
    assert find_of_job(site, "7c1a", ("router",)) == []
    fake.json("GET", "network", "/extensions", {"extensions": [{"alias": "router", "name": "Routers"}]})
    with pytest.raises(SiteError, match="could not be found"):
        find_of_job(site, "7c1a", ("router",))


def test_steps_that_make_nothing_need_no_site() -> None:
    def lost(name: str) -> str:
        raise Unreachable(name, "list backups", "no route to it")

    left = left_by_job(Sites(lost), ("backup",), harmless=("check",))
    assert left("7c1a", "p1", {"check": "paris"}) == []
    with pytest.raises(Unreachable):
        left("7c1a", "p1", {"check": "paris", "capture": "paris"})


def test_a_failure_is_not_nothing(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", "block-storage", "/volumes/detail", {}, 503, headers={"x-openstack-request-id": "r"})
    with pytest.raises(Unreachable):
        find(site, "volume", TOKEN)


def test_backups_marked_by_name_only(fake: FakeCloud, site: CloudSite) -> None:
    listing(fake, "backup", [{"id": "b", "name": TOKEN, "metadata": {}}])
    assert [f.id for f in find(site, "backup", TOKEN)] == ["b"]


def test_seal_keeps_other_tags_and_gives_the_description(fake: FakeCloud, site: CloudSite) -> None:
    shown = {"id": "n1", "tags": ["mine"], "description": TOKEN}
    fake.json("PUT", "network", "/networks/n1/tags", {"tags": []})
    fake.json("PUT", "network", "/networks/n1", {"network": {}})
    tag_and_describe(site, "network", shown, TOKEN, "office")
    assert fake.sent("PUT", "/networks/n1/tags")[0].json() == {"tags": ["mine", TOKEN]}
    assert fake.sent("PUT", "/networks/n1")[0].json() == {"network": {"description": "office"}}


def test_seal_twice_changes_nothing(fake: FakeCloud, site: CloudSite) -> None:
    shown = {"id": "g1", "tags": [TOKEN], "description": "office"}
    tag_and_describe(site, "security_group", shown, TOKEN, "office")
    tag_and_describe(site, "server", {"id": "s1"}, TOKEN)
    assert not [r for r in fake.mock.request_history if r.method == "PUT"]


def test_mark_keeps_what_is_there() -> None:
    fields = {"name": "db", "metadata": {"role": "db"}}
    assert mark("server", TOKEN, fields)["metadata"] == {"role": "db", "multisite_token": TOKEN}
    assert fields["metadata"] == {"role": "db"}


def test_names_suit_every_release_of_nova() -> None:
    name = named("k" * 300, TOKEN)
    assert len(name) == 255
    assert re.fullmatch(r"[_\- a-zA-Z0-9]+", name)
    assert named("a", TOKEN) != named("a", OTHER_STEP)


@pytest.mark.parametrize(
    "token", ["x:y:z", "multisite:j", "multisite:j:a,b", "multisite:j:" + "x" * 250, "multisite:j:\n"]
)
def test_tokens_a_service_would_refuse(token: str) -> None:
    with pytest.raises(ValueError, match="multisite:"):
        checked(token)


def test_one_of_a_snapshot_is_made_once(fake: FakeCloud, site: CloudSite) -> None:
    fields = {"snapshot_id": "snap-1", "size": 2, "name": "copy"}
    listing(fake, "volume", [])
    fake.json("POST", "block-storage", "/volumes", {"volume": {"id": "n1"}}, 202)
    assert ensure(site, "volume", TOKEN, fields)["id"] == "n1"
    listing(fake, "volume", [made("volume", TOKEN, 1) | {"id": "n1"}])
    assert ensure(site, "volume", TOKEN, fields)["id"] == "n1"
    assert len(fake.sent("POST", "/volumes")) == 1


@pytest.mark.parametrize("took_effect", [True, False])
def test_after_a_lost_answer_it_is_looked_again(
    fake: FakeCloud, site: CloudSite, monkeypatch: pytest.MonkeyPatch, took_effect: bool
) -> None:
    monkeypatch.setattr(lifecycle, "SEARCH_AGAIN_SECONDS", 0.0)
    seen = [{"keypair": made("keypair", TOKEN, 1)}] if took_effect else []
    answers = [{"json": {"keypairs": rows}} for rows in ([], seen)]
    fake.mock.register_uri("GET", f"{fake.base('compute')}/os-keypairs", answers)
    fake.json("POST", "compute", "/os-keypairs", {}, 504)
    if took_effect:
        assert ensure(site, "keypair", TOKEN, {"name": "db"})["id"] == "keypair-1"
    else:
        with pytest.raises(UnknownOutcome):
            ensure(site, "keypair", TOKEN, {"name": "db"})
    assert len(fake.sent("POST", "/os-keypairs")) == 1


def test_what_takes_effect_late_is_removed_too(
    fake: FakeCloud, site: CloudSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request's answer was lost: the first list does not show it yet."""
    monkeypatch.setattr(lifecycle, "SEARCH_AGAIN_SECONDS", 0.0)
    shown = [made("volume", TOKEN, 1)]
    answers = [{"json": {"volumes": rows}} for rows in ([], shown, [])]
    fake.mock.register_uri("GET", f"{fake.base('block-storage')}/volumes/detail", answers)
    fake.json("DELETE", "block-storage", "/volumes/volume-1", None, 202)
    assert remove(site, "volume", TOKEN, late=True) == 1
    assert len(fake.sent("DELETE", "/volumes/volume-1")) == 1


def test_what_is_still_there_is_not_removed(
    fake: FakeCloud, site: CloudSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "LIST_LAG_SECONDS", 0.0)
    kinds: tuple[Kind, ...] = ("router", "flavor")
    for kind in kinds:
        listing(fake, kind, [made(kind, TOKEN, 1)])
        fake.json("DELETE", PATHS[kind][0], f"/{kind}s/{kind}-1", None, 204)
        with pytest.raises(Failed, match=f"still there: {kind}-1"):
            remove(site, kind, TOKEN)
