"""Nobody's word counts but that of a key we trust, whatever lies in the store."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multisite.domain.errors import Invalid, NotFound
from multisite.domain.manifest import ManifestError, digest_of, dump
from multisite.recovery import files
from multisite.recovery.manifests import DIGEST, DRAFT, DRAFT_SIGNATURE, MANIFEST, SIGNATURE, ManifestStore
from multisite.recovery.signatures import KeyUnusable, ManifestKeys
from tests.manifest_store import store_in

from .recover_samples import manifest as sample

MINE = replace(sample(), id="rp-1")
FORGED = dump(replace(MINE, project_id="project-b"))


@pytest.fixture
def store(tmp_path: Path) -> ManifestStore:
    (tmp_path / "store").mkdir()
    made = store_in(tmp_path / "store", state=tmp_path / "state")
    made.write(MINE)
    return made


def directory(store: ManifestStore) -> Path:
    return store.path / "multisite" / "restore-points" / MINE.id


def lay(store: ManifestStore, data: bytes, signature: bytes | None) -> None:
    """As who can write to the store does it: the digest is right."""
    (directory(store) / MANIFEST).write_bytes(data)
    (directory(store) / DIGEST).write_text(digest_of(data) + "\n")
    (directory(store) / SIGNATURE).unlink()
    if signature is not None:
        (directory(store) / SIGNATURE).write_bytes(signature)


def stranger(tmp_path: Path) -> ManifestKeys:
    keys = ManifestKeys.at(tmp_path / "stranger")
    keys.make()
    return keys


@pytest.mark.parametrize(
    ("data", "signature", "why"),
    [
        (FORGED, lambda keys, _: keys.sign(dump(MINE)), "is not of this content"),
        (FORGED, lambda _, strange: strange.sign(FORGED), "which is not trusted here.*store keys trust"),
        (FORGED, lambda _, strange: None, "sign-existing rp-1 --yes"),
        (dump(MINE) + b" ", lambda keys, _: keys.sign(dump(MINE)), "is not of this content"),
        (dump(MINE), lambda keys, _: keys.sign(b"multisite.draft\0" + dump(MINE)), "is not of this content"),
        (dump(MINE), lambda keys, _: keys.sign(dump(MINE)) * 2, "not a signature"),
        (dump(MINE), lambda keys, _: b"x" * 1_000_000, "not a signature"),
    ],
)
def test_what_no_trusted_key_signed_is_damaged(
    store: ManifestStore,
    tmp_path: Path,
    data: bytes,
    signature: Callable[[ManifestKeys, ManifestKeys], bytes | None],
    why: str,
) -> None:
    assert store.read(MINE.id) == MINE
    lay(store, data, signature(store.keys, stranger(tmp_path)))
    with pytest.raises(ManifestError, match=why):
        store.read(MINE.id)
    assert [d.id for d in store.list().damaged] == [MINE.id]
    assert not store.list().manifests


def test_a_key_that_claims_the_id_of_a_trusted_one_is_not_it(store: ManifestStore, tmp_path: Path) -> None:
    made = json.loads(stranger(tmp_path).sign(FORGED))
    lay(store, FORGED, json.dumps({**made, "key": store.keys.signing_id()}).encode())
    with pytest.raises(ManifestError, match="is not of this content"):
        store.read(MINE.id)


SIGNED = ("key", "signature", "more")
_VALUES = st.none() | st.integers() | st.text() | st.binary().map(repr) | st.lists(st.text(), max_size=2)

_OBJECTS = st.dictionaries(st.sampled_from(SIGNED), _VALUES)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | _OBJECTS.map(lambda found: json.dumps(found).encode()))
def test_any_signature_file_is_refused_in_words(store: ManifestStore, content: bytes) -> None:
    for known in (content, content.replace(b'"key": ""', f'"key": "{store.keys.signing_id()}"'.encode())):
        with pytest.raises(ManifestError):
            store.keys.verify(dump(MINE), known)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 1000), bit=st.integers(0, 7))
def test_any_changed_bit_is_refused(store: ManifestStore, at: int, bit: int) -> None:
    good = store.keys.sign(dump(MINE))
    store.keys.verify(dump(MINE), good)
    bad = bytearray(dump(MINE))
    bad[at % len(bad)] ^= 1 << bit
    with pytest.raises(ManifestError):
        store.keys.verify(bytes(bad), good)


def test_the_private_key_is_ours_alone_and_not_in_the_store(store: ManifestStore) -> None:
    private = store.keys.signing_key
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    secret = private.read_bytes().splitlines()[1]
    kept = [file for file in store.path.rglob("*") if file.is_file()]
    assert len(kept) == 4
    assert not any(secret in file.read_bytes() for file in kept)
    assert secret not in store.keys.export() + repr(store.keys).encode()
    before = store.keys.signing_id()
    assert store.keys.make() == before, "the next start makes no other"


def test_after_a_rotation_old_and_new_are_read(store: ManifestStore) -> None:
    old = store.keys.signing_id()
    new = store.keys.replace()
    store.write(replace(MINE, id="rp-2"))
    assert json.loads((directory(store).parent / "rp-2" / SIGNATURE).read_text())["key"] == new != old
    assert {m.id for m in store.list().manifests} == {"rp-1", "rp-2"}
    (store.keys.trusted / f"{old}.pub").unlink()  # as an operator does whose old key was seen by others
    assert [d.id for d in store.list().damaged] == ["rp-1"]


def test_a_second_installation_reads_with_the_public_key_alone(store: ManifestStore, tmp_path: Path) -> None:
    second = store_in(store.path, state=tmp_path / "second")
    with pytest.raises(ManifestError, match="not trusted here"):
        second.read(MINE.id)
    public = tmp_path / "paris.pub"
    public.write_bytes(store.keys.export())
    assert second.keys.trust(public) == store.keys.signing_id()
    assert second.read(MINE.id) == MINE
    second.write(replace(MINE, id="rp-2"))
    assert [d.id for d in store.list().damaged] == ["rp-2"], "trust is not mutual by itself"
    with pytest.raises(Invalid, match="not the public key"):
        second.keys.trust(store.keys.signing_key)


def test_what_was_written_before_is_signed_by_the_operators_word_alone(store: ManifestStore) -> None:
    (directory(store) / SIGNATURE).unlink()
    assert store.unsigned().manifests == (MINE,)
    assert not store.list().manifests, "showing them signs nothing"
    assert store.sign(MINE.id) == MINE
    assert store.read(MINE.id) == MINE
    assert not store.unsigned().manifests
    with pytest.raises(NotFound, match="has a signature already"):
        store.sign(MINE.id)


def test_a_bad_signature_is_not_made_good_by_that_word(store: ManifestStore) -> None:
    lay(store, FORGED, b"{}")
    assert not store.unsigned().manifests
    with pytest.raises(NotFound):
        store.sign(MINE.id)


@pytest.mark.parametrize("dies_at", range(1, 7))
def test_killed_between_the_files_it_is_unfinished_and_written_again(
    store: ManifestStore, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """Two files of the draft, three of the manifest; nothing dies at the sixth."""
    point, written = replace(MINE, id="rp-2"), 0

    def die(_path: Path) -> None:
        nonlocal written
        written += 1
        if written == dies_at:
            raise KeyboardInterrupt

    def protect() -> None:
        store.save_draft(point)
        assert store.draft(point.id) == point
        store.write(point)

    store.save_draft(replace(MINE, id="rp-3"))  # the directories are there
    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_directory", die)
        (directory(store).parent / "rp-2").mkdir()
        if dies_at < 6:
            with pytest.raises(KeyboardInterrupt):
                protect()
        else:
            protect()
    usable = [m.id for m in store.list().manifests]
    assert ("rp-2" in usable) is (dies_at >= 5)
    protect()
    assert store.read("rp-2") == point
    assert not store.list().damaged


def test_a_draft_that_somebody_else_laid_is_not_signed(store: ManifestStore, tmp_path: Path) -> None:
    store.save_draft(MINE)
    for signature in (stranger(tmp_path).sign(b"multisite.draft\0" + FORGED), store.keys.sign(FORGED), None):
        (directory(store) / DRAFT).write_bytes(FORGED)
        (directory(store) / DRAFT_SIGNATURE).unlink()
        if signature is not None:
            (directory(store) / DRAFT_SIGNATURE).write_bytes(signature)
        with pytest.raises(ManifestError):
            store.draft(MINE.id)


def test_a_key_that_cannot_be_used_is_named(store: ManifestStore) -> None:
    store.keys.signing_key.write_text("nothing of the kind")
    with pytest.raises(KeyUnusable, match=r"signing_key .*: not a private key"):
        store.write(replace(MINE, id="rp-2"))
    store.keys.signing_key.unlink()
    with pytest.raises(KeyUnusable, match="store keys create"):
        store.write(replace(MINE, id="rp-2"))
    (store.keys.trusted / "strange.pub").write_text("nothing of the kind")
    assert store.read(MINE.id) == MINE, "reading needs public keys only, and a bad file is nobody's"
