"""Whether the data of Cinder's backups are in the store: gone is only what certainly is."""

from __future__ import annotations

import base64
import json

import pytest

from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.cinder_backups.stored import look
from multisite.recovery.stores.flat import FlatStore

DRIVERS = {
    "s3": "cinder.backup.drivers.s3.S3BackupDriver",
    "swift": "cinder.backup.drivers.swift.SwiftBackupDriver",
}
ONE, TWO = "1a2b0000-one", "3c4d0000-two"


class Backups:
    """As Cinder's drivers name them: one container for all."""

    def __init__(self, store: FlatStore) -> None:
        (self._kind,) = store.cinder_drivers  # type: ignore[attr-defined]
        self._store = store

    def prefix(self, id: str) -> str:
        return f"{self._store._prefix}volume_v/20261129140000/az_nova_backup_{id}"

    def record(self, id: str, container: str | None = None, driver: str | None = None) -> dict[str, str]:
        own = vars(self._store).get("_bucket") or vars(self._store)["_container"]
        row = {"id": id, "container": container or own.name, "service_metadata": self.prefix(id)}
        encoded = base64.b64encode(json.dumps(row).encode()).decode()
        return {"backup_service": driver or DRIVERS[self._kind], "backup_url": encoded}

    def write(self, id: str) -> None:
        for name in ("_metadata", "_sha256file", "-00001"):
            self._store.put(self.prefix(id).removeprefix(self._store._prefix) + name, b"x")


@pytest.fixture
def backups(store: FlatStore) -> Backups:
    return Backups(store)


def test_what_is_there_is_seen_and_what_others_outlived_is_gone(
    manifests: ManifestStore, backups: Backups
) -> None:
    backups.write(ONE)
    found = look(manifests, {id: backups.record(id) for id in (ONE, TWO)})
    assert (found.seen, found.missing, found.unknown) == ({ONE}, {TWO}, "")


@pytest.mark.parametrize("container", [None, "absent"])
def test_a_store_that_has_none_of_them_says_nothing(
    manifests: ManifestStore, backups: Backups, container: str | None
) -> None:
    found = look(manifests, {ONE: backups.record(ONE, container)})
    assert (found.seen, found.missing) == (set(), set())
    assert "may not be where cinder-backup of their site writes to" in found.unknown


def test_backups_that_are_kept_elsewhere_are_not_looked_for(
    manifests: ManifestStore, backups: Backups
) -> None:
    posix = backups.record(ONE, driver="cinder.backup.drivers.posix.PosixBackupDriver")
    found = look(manifests, {ONE: posix})
    assert (found.seen, found.missing, "elsewhere" in found.unknown) == (set(), set(), True)
