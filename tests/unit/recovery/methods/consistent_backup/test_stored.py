"""Looking for the data of backups in the store: gone is only what certainly is."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.cinder_backups.stored import look
from tests.manifest_store import store_in

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
NFS = "cinder.backup.drivers.nfs.NFSBackupDriver"
ONE, TWO = "1a2b0000-one", "3c4d0000-two"


def record(id: str, driver: str = POSIX, container: str | None = None) -> dict[str, str]:
    where = f"{id[:2]}/{id[2:4]}/{id}" if container is None else container
    row = {"id": id, "container": where, "service_metadata": f"volume_v_1_backup_{id}"}
    return {"backup_service": driver, "backup_url": base64.b64encode(json.dumps(row).encode()).decode()}


def files(store: ManifestStore, id: str, container: str | None = None) -> Path:
    """The first of a backup's files."""
    folder = store.path / (f"{id[:2]}/{id[2:4]}/{id}" if container is None else container)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"volume_v_1_backup_{id}_metadata"
    path.touch()
    return path


@pytest.fixture
def store(tmp_path: Path) -> ManifestStore:
    (tmp_path / "share").mkdir()
    return store_in(tmp_path / "share", state=tmp_path)


@pytest.mark.parametrize("driver", [POSIX, NFS])
def test_what_is_there_is_seen(store: ManifestStore, driver: str) -> None:
    files(store, ONE)
    found = look(store, {ONE: record(ONE, driver)})
    assert (found.seen, found.missing, found.unknown) == ({ONE}, set(), "")


def test_what_was_deleted_leaves_its_container(store: ManifestStore) -> None:
    files(store, ONE).unlink()
    found = look(store, {ONE: record(ONE)})
    assert (found.seen, found.missing, found.unknown) == (set(), {ONE}, "")


def test_without_its_container_it_is_gone_where_others_have_theirs(store: ManifestStore) -> None:
    files(store, TWO)
    assert look(store, {ONE: record(ONE), TWO: record(TWO)}).missing == {ONE}


@pytest.mark.parametrize("others", [False, True], ids=["empty", "of another site"])
def test_a_folder_that_has_none_of_them_says_nothing(store: ManifestStore, others: bool) -> None:
    if others:
        files(store, TWO)
    found = look(store, {ONE: record(ONE)})
    assert (found.seen, found.missing) == (set(), set())
    assert "may not be where cinder-backup of their site writes to" in found.unknown


def test_a_container_of_all_backups(store: ManifestStore) -> None:
    files(store, ONE, "backups")
    found = look(store, {id: record(id, container="backups") for id in (ONE, TWO)})
    assert (found.seen, found.missing, found.unknown) == ({ONE}, {TWO}, "")


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (record(ONE, "cinder.backup.drivers.swift.SwiftBackupDriver"), "swift"),
        (record(ONE, container="/etc"), "elsewhere"),
        (record(ONE, container="../other"), "elsewhere"),
        ({"backup_service": POSIX, "backup_url": "nonsense"}, "elsewhere"),
        ({}, "elsewhere"),
    ],
)
def test_where_it_is_not_told_nothing_is_said(store: ManifestStore, one: dict[str, str], word: str) -> None:
    files(store, TWO)
    found = look(store, {ONE: one})
    assert (found.seen, found.missing, word in found.unknown) == (set(), set(), True)


def test_a_folder_that_may_not_be_read_says_nothing(
    store: ManifestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(store, ONE)
    honest = Path.stat

    def refused(self: Path, **more: bool) -> object:
        if self.name.endswith("_metadata"):
            raise PermissionError(13, "Permission denied")
        return honest(self, **more)

    monkeypatch.setattr(Path, "stat", refused)
    found = look(store, {ONE: record(ONE)})
    assert (found.seen, found.missing, "Permission denied" in found.unknown) == (set(), set(), True)


def test_a_store_that_is_not_mounted_says_nothing(store: ManifestStore) -> None:
    (store.path / ".multisite-store").unlink()
    assert "not mounted" in look(store, {ONE: record(ONE)}).unknown
