"""What is in an encrypted manifest is read with its key, and by nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.manifest import ManifestError
from multisite.recovery.encryption import PLAIN, Encryption
from multisite.recovery.manifests import DRAFT, MANIFEST, ManifestStore
from multisite.recovery.signatures import KeyUnusable
from tests.manifest_store import store_in

from .recover_samples import manifest

SECRET = "I2Nsb3VkLWNvbmZpZwpodW50ZXIy"
"""User data of the first server."""


@pytest.fixture
def keys(tmp_path: Path) -> Encryption:
    made = Encryption(tmp_path / "encryption-keys")
    made.make_key(replace=False)
    return made


@pytest.fixture
def store(tmp_path: Path, keys: Encryption) -> ManifestStore:
    folder = tmp_path / "store"
    folder.mkdir()
    return store_in(folder, encryption=keys)


def secret_manifest(id: str = "rp-1") -> object:
    made = manifest()
    first, *rest = made.servers
    return replace(made, id=id, servers=(replace(first, user_data=SECRET), *rest))


def files(store: ManifestStore) -> bytes:
    return b"".join(file.read_bytes() for file in store.path.rglob("*") if file.is_file())


def with_keys(store: ManifestStore, encryption: Encryption) -> ManifestStore:
    return ManifestStore(store.path, store.keys, encryption=encryption)


def test_nothing_of_a_manifest_can_be_read_in_the_store(store: ManifestStore) -> None:
    made = secret_manifest()
    store.save_draft(made)
    assert SECRET.encode() not in files(store)
    assert store.draft("rp-1") == made
    digest = store.write(made)
    assert SECRET.encode() not in files(store)
    assert store.read("rp-1") == made
    assert store.write(made) == digest  # as often as one likes, though no two encryptions are alike
    assert store.list().manifests == (made,)


def test_without_encryption_it_can(tmp_path: Path) -> None:
    plain = store_in(tmp_path)
    plain.write(secret_manifest())
    assert SECRET.encode() in files(plain)


def test_without_its_key_it_is_not_used_and_what_to_do_is_said(store: ManifestStore, tmp_path: Path) -> None:
    store.write(secret_manifest())
    with pytest.raises(ManifestError, match=r"encrypted: set \[backup_store\] encryption_keys"):
        with_keys(store, PLAIN).read("rp-1")
    other = Encryption(tmp_path / "other")
    other.make_key(replace=False)
    with pytest.raises(ManifestError, match="add that key as a line"):
        with_keys(store, other).read("rp-1")
    gone = with_keys(store, Encryption(tmp_path / "gone"))
    with pytest.raises(KeyUnusable, match="create-key"):
        gone.read("rp-1")
    with pytest.raises(KeyUnusable, match="create-key"):
        gone.write(secret_manifest("rp-2"))
    assert store.read("rp-1")


@pytest.mark.parametrize("place", [0, 30, -1])
def test_a_changed_one_is_damaged(store: ManifestStore, place: int) -> None:
    store.write(secret_manifest())
    file = next(store.path.rglob(MANIFEST))
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    with pytest.raises(ManifestError):
        store.read("rp-1")


def test_plain_ones_are_read_and_sealed_when_asked(store: ManifestStore, keys: Encryption) -> None:
    made = secret_manifest()
    with_keys(store, PLAIN).write(made)
    assert store.read("rp-1") == made
    assert not store.sealed_with_newest("rp-1")
    store.seal("rp-1")
    assert SECRET.encode() not in files(store)
    assert store.sealed_with_newest("rp-1")
    assert store.read("rp-1") == made


def test_a_new_key_encrypts_and_the_old_one_decrypts(store: ManifestStore, keys: Encryption) -> None:
    store.write(secret_manifest())
    with pytest.raises(Conflict, match="--replace"):
        keys.make_key(replace=False)
    file = keys.make_key(replace=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert store.read("rp-1")
    assert not store.sealed_with_newest("rp-1")
    store.seal("rp-1")
    newest = file.read_bytes().splitlines()[0]
    file.write_bytes(newest + b"\n")
    assert store.read("rp-1")


def test_nobody_seals_what_no_trusted_key_signed(store: ManifestStore) -> None:
    store.write(secret_manifest())
    next(store.path.rglob("*.sig")).unlink()
    with pytest.raises(ManifestError, match="vouch"):
        store.seal("rp-1")


@pytest.mark.parametrize("content", [b"", b"hunter2\n", Fernet.generate_key()[:-4] + b"\n"])
def test_a_file_that_has_no_key(keys: Encryption, content: bytes) -> None:
    assert keys.keys is not None
    keys.keys.write_bytes(content)
    with pytest.raises(KeyUnusable, match="encryption_keys") as refused:
        keys.seal(b"{}")
    assert "hunter2" not in str(refused.value)


def test_a_key_needs_a_file() -> None:
    with pytest.raises(Invalid, match="not set"):
        PLAIN.make_key(replace=False)


def test_a_draft_of_a_process_that_died_is_encrypted_too(store: ManifestStore) -> None:
    store.save_draft(secret_manifest())
    assert next(store.path.rglob(DRAFT)).read_bytes().startswith(b"gAAAA")
