"""Epochs beside the backups: they outlive the database, and a damaged file is no first epoch."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from multisite.domain.epoch import Epoch, Epochs
from multisite.domain.errors import Conflict, Invalid
from multisite.domain.manifest import dump, load
from multisite.recovery.epochs import EpochStore
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.signatures import ManifestKeys
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from tests.manifest_store import store_in
from tests.unit.recovery.recover_samples import NOW, manifest

FIRST = Epoch(1, "lyon", "r1", ("s1",), NOW)


@pytest.fixture
def store(tmp_path: Path) -> ManifestStore:
    return store_in(tmp_path)


@pytest.fixture
def epochs(database: Database, store: ManifestStore) -> EpochStore:
    return EpochStore(store, ApplicationRepository(database))


def test_what_was_begun_is_read_again(epochs: EpochStore, tmp_path: Path) -> None:
    assert (epochs.read("a1").number, epochs.numbers(["a1", "a2"])) == (0, {"a1": 0, "a2": 0})
    epochs.begin("a1", FIRST)
    assert epochs.read("a1").current == FIRST
    assert epochs.numbers(["a1", "a2"]) == {"a1": 1, "a2": 0}
    epochs.withdraw("a1", "r1")
    assert (epochs.read("a1").number, epochs.read("a1").highest) == (0, 1)
    file = tmp_path / "multisite" / "applications" / "a1" / "epochs.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_more_than_those_asked_for_are_read(epochs: EpochStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for id in ("a1", "a2", "a3"):
        epochs.begin(id, FIRST)
    read: list[str] = []
    monkeypatch.setattr(epochs, "read", lambda id: read.append(id) or Epochs(id, (FIRST,)))
    assert epochs.numbers(["a2", "a4", "a2"]) == {"a2": 1, "a4": 0}
    assert read == ["a2"]


def test_undoing_what_began_none_writes_none(epochs: EpochStore, tmp_path: Path) -> None:
    epochs.withdraw("a1", "r1")
    assert not (tmp_path / "multisite").exists()


def test_two_that_begin_at_once_are_both_kept(epochs: EpochStore, monkeypatch: pytest.MonkeyPatch) -> None:
    read = epochs.read

    def slowly(application_id: str) -> Epochs:
        found = read(application_id)
        time.sleep(0.2)  # without turns, the other one reads meanwhile
        return found

    monkeypatch.setattr(epochs, "read", slowly)
    second = replace(FIRST, number=2, recovery_id="r2")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda epoch: epochs.begin("a1", epoch), (FIRST, second)))
    assert {epoch.recovery_id for epoch in read("a1").begun} == {"r1", "r2"}


def test_what_a_killed_process_left_is_removed(epochs: EpochStore, tmp_path: Path) -> None:
    epochs.begin("a1", FIRST)
    folder = tmp_path / "multisite" / "applications" / "a1"
    (folder / ".epochs.jsonl.17.tmp").write_bytes(b"half")
    epochs.begin("a1", FIRST)
    assert [path.name for path in folder.iterdir()] == ["epochs.jsonl"]


def lay(folder: Path, data: bytes) -> None:
    """As who can write to the store does it."""
    (folder / "multisite" / "applications" / "a1" / "epochs.jsonl").write_bytes(data)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"application_id": "a2"}', b'{"application_id": "a1", "begun": 1}']
)
@pytest.mark.parametrize("signed", [False, True])
def test_a_damaged_file_is_said(
    epochs: EpochStore, store: ManifestStore, tmp_path: Path, text: bytes, signed: bool
) -> None:
    epochs.begin("a1", FIRST)
    lay(tmp_path, store.keys.sign(b"multisite.epochs\0" + text) + text if signed else text)
    with pytest.raises(Conflict, match=r"applications/a1/epochs\.jsonl is damaged") as told:
        epochs.read("a1")
    numbers = epochs.numbers(["a1", "a2"])
    assert (str(numbers["a1"]), numbers["a2"]) == (str(told.value), 0)


def test_what_no_trusted_key_signed_does_not_count(
    epochs: EpochStore, store: ManifestStore, tmp_path: Path
) -> None:
    epochs.begin("a1", FIRST)
    signature, said = (
        (tmp_path / "multisite" / "applications" / "a1" / "epochs.jsonl").read_bytes().split(b"\n")
    )
    stranger = ManifestKeys.at(tmp_path / "stranger")
    stranger.make()
    for signed, why in (
        (signature + b"\n" + said.replace(b"lyon", b"nice"), "is not of this"),
        (stranger.sign(b"multisite.epochs\0" + said) + said, "not trusted here"),
        (store.keys.sign(said) + said, "is not of this"),
    ):
        lay(tmp_path, signed)
        with pytest.raises(Conflict, match=why):
            epochs.read("a1")
    lay(tmp_path, signature + b"\n" + said)
    assert epochs.read("a1").current == FIRST


def test_an_id_is_no_path(epochs: EpochStore) -> None:
    with pytest.raises(Invalid, match="is not an id"):
        epochs.read("../restore-points")


def test_manifests_of_before_keep_their_bytes() -> None:
    old, new = manifest(), replace(manifest(), epoch=2)
    assert b'"epoch"' not in dump(old)
    assert (load(dump(old)).epoch, load(dump(new)).epoch) == (0, 2)
