"""The backup store: what it accepts, what it refuses, and that it never passes for empty when it is away."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.manifest import Manifest, ManifestError, SourceSite, digest_of, dump
from multisite.recovery.manifests import MARKER, ManifestStore, StoreUnavailable
from multisite.recovery.signatures import ManifestKeys
from tests.manifest_store import store_in

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def manifest(id="rp-1", consistent_at=NOW):
    return Manifest(
        id=id,
        application_id="app-1",
        application="demo",
        project_id="p1",
        source=SourceSite("s1", "RegionOne", "http://keystone/v3"),
        method="consistent-backup",
        created_at=NOW,
        consistent_at=consistent_at,
        servers=(),
        volumes=(),
    )


@pytest.fixture
def store(tmp_path):
    return store_in(tmp_path)


def directory(store, id="rp-1"):
    return store.path / "multisite" / "restore-points" / id


def test_what_was_written_is_read_and_listed(store):
    digest = store.write(manifest())
    assert digest == digest_of(dump(manifest()))
    assert store.read("rp-1") == manifest()
    assert store.list().manifests == (manifest(),)
    assert store.list().damaged == ()


def test_newest_data_comes_first(store):
    for n in (2, 1, 3):
        store.write(manifest(f"rp-{n}", NOW + timedelta(hours=n)))
    assert [m.id for m in store.list().manifests] == ["rp-3", "rp-2", "rp-1"]


def test_an_initialized_store_may_be_empty(store):
    assert store.list().manifests == ()
    assert store.ids() == ()


@pytest.mark.parametrize(
    "verb",
    [
        lambda s: s.list(),
        lambda s: s.ids(),
        lambda s: s.read("rp-1"),
        lambda s: s.write(manifest()),
        lambda s: s.delete("rp-1"),
        lambda s: s.check(),
    ],
)
def test_a_directory_without_marker_is_not_an_empty_store(tmp_path, verb):
    keys = ManifestKeys.at(tmp_path / "keys")
    with pytest.raises(StoreUnavailable, match="not mounted"):
        verb(ManifestStore(tmp_path, keys))
    with pytest.raises(StoreUnavailable, match="no such directory"):
        verb(ManifestStore(tmp_path / "absent", keys))
    assert list(tmp_path.iterdir()) == []


def test_initialize_does_not_make_the_mount_point(tmp_path):
    with pytest.raises(StoreUnavailable, match="mount it first"):
        store_in(tmp_path / "absent", state=tmp_path)


def test_initialize_twice_keeps_what_is_there(store):
    store.write(manifest())
    store.initialize()
    assert store.read("rp-1") == manifest()


def test_only_the_service_may_read_it(store):
    store.write(manifest())
    assert stat.S_IMODE(directory(store).stat().st_mode) == 0o700
    for file in directory(store).iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory(store).parent.stat().st_mode) & 0o077 == 0


def test_a_changed_manifest_is_refused_and_reported(store):
    store.write(manifest())
    file = directory(store) / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b"demo", b"dem0"))
    with pytest.raises(ManifestError, match="digest"):
        store.read("rp-1")
    (damaged,) = store.list().damaged
    assert damaged.id == "rp-1"
    assert "digest" in damaged.problem


def test_a_manifest_without_digest_is_unfinished(store):
    store.write(manifest())
    (directory(store) / "manifest.json.sha256").unlink()
    with pytest.raises(ManifestError, match="never finished"):
        store.read("rp-1")
    assert [d.id for d in store.list().damaged] == ["rp-1"]
    store.write(manifest())  # the step runs again
    assert store.read("rp-1") == manifest()


def test_an_empty_directory_is_reported_too(store):
    directory(store).mkdir(parents=True)
    assert [d.id for d in store.list().damaged] == ["rp-1"]


def test_a_copied_directory_does_not_become_another_restore_point(store):
    store.write(manifest())
    directory(store).rename(directory(store, "rp-2"))
    with pytest.raises(ManifestError, match="rp-1"):
        store.read("rp-2")


def test_writing_again_is_harmless_but_never_replaces(store):
    assert store.write(manifest()) == store.write(manifest())
    with pytest.raises(Conflict, match="another manifest"):
        store.write(replace(manifest(), application="other"))
    assert store.read("rp-1").application == "demo"


def test_absent_is_not_found(store):
    with pytest.raises(NotFound):
        store.read("rp-1")


@pytest.mark.parametrize("id", ["", "..", "../x", "a/b", ".hidden", "a" * 65, "x\n"])
def test_ids_cannot_leave_the_store(store, id):
    for verb in (store.read, store.delete):
        with pytest.raises(Invalid):
            verb(id)
    with pytest.raises(Invalid):
        store.write(manifest(id))


def test_delete_leaves_nothing_and_can_be_repeated(store):
    store.write(manifest())
    store.delete("rp-1")
    store.delete("rp-1")
    assert store.list().manifests == ()
    assert not directory(store).exists()
    assert (store.path / MARKER).exists()


def test_a_crash_while_deleting_leaves_an_unusable_one(store, monkeypatch):
    store.write(manifest())
    monkeypatch.setattr("multisite.recovery.stores.folder.shutil.rmtree", _crash)
    with pytest.raises(KeyboardInterrupt):
        store.delete("rp-1")
    assert store.list().manifests == ()
    assert len(store.list().damaged) == 1


def test_a_crash_before_the_rename_leaves_no_half_file(store, monkeypatch):
    directory(store).mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", _crash)
    with pytest.raises(KeyboardInterrupt):
        store.write(manifest())
    assert not list(directory(store).iterdir())


def test_what_a_crash_while_writing_left_goes_with_the_draft(store):
    store.save_draft(manifest())
    for name in (".draft.json.4711.tmp", ".manifest.json.4711.tmp"):
        (directory(store) / name).write_text("half of it")
    store.write(manifest())
    assert {file.name for file in directory(store).iterdir()} == {
        "manifest.json",
        "manifest.json.sha256",
        "manifest.json.sig",
    }


def test_trouble_with_the_disk_is_said_in_words(store, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        store.write(manifest())


def test_a_draft_is_neither_a_restore_point_nor_damaged(store):
    store.save_draft(manifest())
    assert store.draft("rp-1") == manifest()
    assert store.ids() == ()
    assert store.list().manifests == store.list().damaged == ()
    with pytest.raises(NotFound):
        store.read("rp-1")
    assert stat.S_IMODE((directory(store) / "draft.json").stat().st_mode) == 0o600
    store.write(manifest())
    assert store.read("rp-1") == manifest()
    with pytest.raises(NotFound):
        store.draft("rp-1")


def test_delete_removes_a_draft_too(store):
    store.save_draft(manifest())
    store.delete("rp-1")
    assert not directory(store).exists()


def _crash(*_args, **_kwargs):
    raise KeyboardInterrupt
