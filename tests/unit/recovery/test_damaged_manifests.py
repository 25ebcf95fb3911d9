"""Whatever lies in a restore point's directory, it is at most that restore point's trouble."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multisite.domain.manifest import ManifestError, digest_of, dump, load
from multisite.recovery import manifests
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.rows import as_restore_point
from tests.manifest_store import store_in

from .recover_samples import manifest as sample

GOOD = dump(sample())


def lay(store: ManifestStore, id: str, data: bytes) -> Path:
    """A manifest that is not as we write them, digest and signature right."""
    directory = store.path / "multisite" / "restore-points" / id
    directory.mkdir(parents=True, exist_ok=True)
    (directory / manifests.MANIFEST).write_bytes(data)
    (directory / manifests.SIGNATURE).write_bytes(store.keys.sign(data))
    (directory / manifests.DIGEST).write_text(digest_of(data) + "\n")
    return directory


@pytest.fixture
def store(tmp_path: Path) -> ManifestStore:
    made = store_in(tmp_path)
    made.write(replace(sample(), id="good"))
    return made


def changed(path: list[str | int], value: Any, id: str = "bad") -> bytes:
    whole = json.loads(dump(replace(sample(), id=id)))
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed(["consistent_at"], "2026-11-21T03:00:00"), "consistent_at: Input should have timezone info"),
        (
            changed(["created_at"], "0001-01-01T00:00:00+14:00"),
            "created_at: Value error, must be within the years",
        ),
        (changed(["frozen_seconds"], float("nan")), "NaN is not a number of JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"format":' * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (changed(["servers", 0, "volume_ids"], ["elsewhere"]), "servers.0.volume_ids: elsewhere is not in"),
        (changed(["servers", 0, "port_ids"], ["elsewhere"]), "servers.0.port_ids: elsewhere is not in"),
        (changed(["volumes"], json.loads(GOOD)["volumes"][:1] * 2), "volumes: two have the id"),
        (changed(["volumes", 0, "size_gib"], 10**400), "volumes.0.size_gib: Input should be less than"),
        (
            changed(["frozen_seconds"], 5).replace(b'"frozen_seconds": 5', b'"frozen_seconds": 1e999'),
            "finite",
        ),
        (
            changed(["subnets", 0, "cidr"], "10[[.0.0/24"),
            "subnets.0.cidr: Value error, must be an IPv4 or IPv6 n",
        ),
        (
            changed(["subnets", 0, "gateway_address"], "gw"),
            "subnets.0.gateway_address: Value error, must be an",
        ),
        (
            changed(["ports", 0, "fixed_addresses", 0, "address"], "10.0.0"),
            "fixed_addresses.0.address: Value e",
        ),
        (changed(["application"], "a\0b"), "U+0000"),
        (changed(["application"], "\ud800"), "surrogates not allowed"),
    ],
)
def test_a_damaged_one_is_told_and_the_others_work(store: ManifestStore, data: bytes, why: str) -> None:
    lay(store, "bad", data)
    found = store.list()
    assert [m.id for m in found.manifests] == ["good"]
    assert [d.id for d in found.damaged] == ["bad"]
    assert why in found.damaged[0].problem


@pytest.mark.timeout(20)
@pytest.mark.parametrize("laid", ["pipe", "directory", "link", "large"])
def test_what_is_no_file_of_ours_is_not_read(
    store: ManifestStore, laid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(store, "bad", changed(["notes"], [])) / manifests.MANIFEST
    assert not store.list().damaged
    data = path.read_bytes()
    if laid == "large":
        monkeypatch.setattr(manifests, "LARGEST", len(data) - 1)
        store.delete("good")
    else:
        path.unlink()
    if laid == "pipe":
        os.mkfifo(path)
    elif laid == "directory":
        path.mkdir()
    elif laid == "link":
        path.symlink_to(store.path / "elsewhere")
    assert [d.id for d in store.list().damaged] == ["bad"]


def test_a_store_that_goes_while_it_is_read_is_away(store: ManifestStore) -> None:
    path = lay(store, "bad", GOOD) / manifests.MANIFEST
    path.unlink()
    path.mkdir()
    (store.path / manifests.MARKER).unlink()
    with pytest.raises(manifests.StoreUnavailable):
        store._bytes(f"multisite/restore-points/bad/{manifests.MANIFEST}")


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
)


def paths(at: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
    return [path for key, value in inside for path in ((*here, key), *paths(value, (*here, key)))]


PATHS = paths(json.loads(GOOD))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), _VALUES), min_size=1, max_size=3))
def test_any_change_is_read_or_refused_in_words(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    whole = json.loads(GOOD)
    for path, value in changes:
        at = whole
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
        except (TypeError, LookupError):
            continue  # an earlier change took it away
    try:
        found = load(json.dumps(whole).encode())
    except ManifestError as error:
        assert error.args[0]  # noqa: PT017  # refused, in words
        return
    shown = as_restore_point(found)
    assert sorted([found, sample()], key=lambda m: m.consistent_at)
    assert load(dump(found)) == found
    assert shown.digest == digest_of(dump(found))
