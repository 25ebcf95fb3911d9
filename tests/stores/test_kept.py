"""What every store keeps and refuses, and how it lists."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from stores.samples import NOW, manifest

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.installation import Mark
from multisite.domain.manifest import ManifestError
from multisite.recovery.manifests import DIGEST, MANIFEST, ManifestStore
from multisite.recovery.marks import MarkStore
from multisite.recovery.stores.base import StoreUnavailable, Unreadable
from multisite.recovery.stores.flat import FlatStore
from multisite_lab.objectstore import ObjectStoreServer

POINTS = "multisite/restore-points"
MANY = 2500


def test_what_is_put_is_got_and_listed(store: FlatStore) -> None:
    assert store.put("f/a/one", b"1")
    assert store.put("f/b", b"2")
    assert (store.get("f/a/one", 10), store.get("f/b", 10), store.get("f/c", 10)) == (b"1", b"2", None)
    assert sorted(store.names("f")) == ["a", "b"]
    assert store.put("f/b", b"33")
    assert store.get("f/b", 10) == b"33"
    with pytest.raises(Unreadable, match="more than 1 bytes"):
        store.get("f/b", 1)
    assert store.has_folder("f/a")
    assert not store.has_folder("f/aa")
    store.delete("f/b", "f/b", "f/never")
    store.delete_folder("f/a")
    assert store.names("f") == ()


def test_of_many_writers_of_a_new_one_exactly_one_is_it(store: FlatStore) -> None:
    with ThreadPoolExecutor(12) as writers:
        put = list(writers.map(lambda n: store.put("new", f"{n}".encode(), replace=False), range(12)))
    assert put.count(True) == 1
    assert store.get("new", 10) == f"{put.index(True)}".encode()
    assert not store.put("new", b"late", replace=False)
    assert store.get("new", 10) != b"late"


def test_a_server_that_writes_over_what_it_must_not_is_no_store(
    make: Callable[..., FlatStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful: Any = make()
    if hasattr(forgetful, "_send"):  # the gateway's Swift is forgetful as it is
        send = forgetful._send
        monkeypatch.setattr(
            forgetful, "_send", lambda name, data, keep, _condition: send(name, data, keep, {})
        )
    monkeypatch.setattr(forgetful, "_has_versions", lambda: False)
    with pytest.raises(StoreUnavailable, match="If-None-Match"):
        forgetful.initialize()


def test_what_is_not_marked_is_not_an_empty_store(
    make: Callable[..., FlatStore], manifests: ManifestStore
) -> None:
    with pytest.raises(StoreUnavailable, match="not initialized"):
        ManifestStore(make(prefix="elsewhere"), manifests.keys).ids()
    with pytest.raises(StoreUnavailable, match="make it first"):
        make(name="absent").initialize()


def test_ten_thousand_are_listed_by_the_page_and_none_is_read(
    store: FlatStore, manifests: ManifestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of them."""
    with ThreadPoolExecutor(12) as writers:
        list(writers.map(lambda n: store.put(f"{POINTS}/rp-{n:05}/{MANIFEST}", b"{}"), range(MANY)))
    store.put(f"{POINTS}/rp-draft/draft.json", b"{}")
    store.check()  # the marker is read once a minute
    asked: list[str] = []
    real = store._ask  # type: ignore[attr-defined]
    monkeypatch.setattr(store, "_ask", lambda *a, **o: asked.append("") or real(*a, **o))  # type: ignore[func-returns-value]
    monkeypatch.setattr(store, "get", lambda *_: pytest.fail("it is read"))
    assert manifests.ids() == tuple(f"rp-{n:05}" for n in range(MANY))
    assert len(asked) <= MANY // 1000 + 2


def test_restore_points(manifests: ManifestStore) -> None:
    manifests.save_draft(manifest())
    assert manifests.ids() == ()
    assert manifests.draft("rp-1") == manifest()
    manifests.write(manifest())
    assert manifests.write(manifest())  # the step runs again
    assert manifests.read("rp-1") == manifest()
    with pytest.raises(NotFound):
        manifests.draft("rp-1")
    with pytest.raises(Conflict):
        manifests.write(manifest(application="other"))
    assert manifests.list().manifests == (manifest(),)
    manifests.objects.delete(f"{POINTS}/rp-1/{DIGEST}")
    with pytest.raises(ManifestError, match="never finished"):
        manifests.read("rp-1")
    assert [damaged.id for damaged in manifests.list().damaged] == ["rp-1"]
    manifests.delete("rp-1")
    assert manifests.ids() == ()
    with pytest.raises(NotFound):
        manifests.read("rp-1")


def test_a_byte_that_was_changed_in_the_store_is_seen(manifests: ManifestStore) -> None:
    manifests.write(manifest())
    key = f"{POINTS}/rp-1/{MANIFEST}"
    data = manifests.objects.get(key, 1 << 20)
    assert data is not None
    manifests.objects.put(key, data.replace(b"demo", b"dem0"))
    with pytest.raises(ManifestError, match="digest"):
        manifests.read("rp-1")


def test_nobody_gives_a_number_twice(manifests: ManifestStore) -> None:
    marks = MarkStore(manifests)
    for number in range(1, 6):
        assert marks.write(Mark("here", number, NOW, f"n{number}"))
    assert not marks.write(Mark("here", 5, NOW, "another"))
    newest = marks.newest("here")
    assert newest is not None
    assert (newest.counter, newest.nonce) == (5, "n5")


def test_who_is_refused_is_told_and_nothing_secret_is(
    make: Callable[..., Any], server: ObjectStoreServer, tmp_path: Any
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[thief]\naws_access_key_id = nobody\naws_secret_access_key = verysecret\n")
    wrong = (
        {"cloud": "wrong"}
        if "cloud" in _fields(make())
        else {"credentials_file": str(file), "profile": "thief"}
    )
    with pytest.raises(StoreUnavailable) as refused:
        make(**wrong).check()
    told = str(refused.value)
    assert "backup store" in told
    for secret in ("verysecret", server.account.secret_key, server.account.swift_key):
        assert secret not in told


def _fields(store: Any) -> set[str]:
    return {*vars(getattr(store, "_container", None) or store._bucket)}
