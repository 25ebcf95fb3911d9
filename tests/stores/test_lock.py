"""Who stole the credentials of the service cannot take restore points away where the bucket has an object lock."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stores.samples import LOCKED, NAME, manifest

from multisite.domain.errors import NotFound
from multisite.domain.manifest import ManifestError
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.revive import hidden, revive
from multisite.recovery.signatures import ManifestKeys
from multisite.recovery.stores.base import StoreUnavailable
from multisite.recovery.stores.s3 import Bucket, S3Store
from multisite_lab.objectstore import KMS_KEY, ObjectStoreServer


@pytest.fixture
def bucket(server: ObjectStoreServer, s3: Any) -> Bucket:
    return Bucket(LOCKED, uuid.uuid4().hex, server.url, lock_mode="COMPLIANCE", lock_days=1)


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> ManifestStore:
    keys = ManifestKeys.at(tmp_path)
    keys.make()
    made = ManifestStore(S3Store(bucket), keys)
    made.initialize()
    return made


def keys_of(s3: Any, bucket: Bucket) -> list[tuple[str, str]]:
    found = s3.list_object_versions(Bucket=LOCKED, Prefix=f"{bucket.prefix}/multisite").get("Versions", ())
    return [(version["Key"], version["VersionId"]) for version in found]


def test_a_thief_hides_restore_points_and_they_come_back(
    store: ManifestStore, bucket: Bucket, s3: Any
) -> None:
    for id in ("rp-1", "rp-2", "rp-3"):
        store.write(manifest(id))
    versions = keys_of(s3, bucket)
    assert len(versions) == 9
    for key, version in versions:  # with the service's own credentials
        for more in ({}, {"BypassGovernanceRetention": True}):
            with pytest.raises(ClientError, match="AccessDenied"):
                s3.delete_object(Bucket=LOCKED, Key=key, VersionId=version, **more)
    for key, _ in versions:
        if "rp-1" in key:
            s3.delete_object(Bucket=LOCKED, Key=key)
        if "rp-2" in key:
            s3.put_object(Bucket=LOCKED, Key=key, Body=b"encrypted, pay here")
    assert store.ids() == ("rp-2", "rp-3")
    with pytest.raises(ManifestError):
        store.read("rp-2")
    assert [one.manifest.id for one in hidden(store)] == ["rp-1", "rp-2"]
    for id in ("rp-1", "rp-2"):
        assert revive(store, id) == store.read(id) == manifest(id)
    assert hidden(store) == []


def test_what_no_trusted_key_has_signed_does_not_come_back(store: ManifestStore, tmp_path: Path) -> None:
    stranger = ManifestKeys.at(tmp_path / "stranger")
    stranger.make()
    ManifestStore(store.objects, stranger).write(manifest("rp-1"))
    store.delete("rp-1")
    assert hidden(store) == []
    with pytest.raises(NotFound):
        revive(store, "rp-1")


def test_drafts_and_marks_are_not_locked(store: ManifestStore, bucket: Bucket, s3: Any) -> None:
    store.save_draft(manifest("rp-1"))
    for key, version in keys_of(s3, bucket):
        s3.delete_object(Bucket=LOCKED, Key=key, VersionId=version)
    assert keys_of(s3, bucket) == []


def test_without_a_lock_the_bucket_is_refused(server: ObjectStoreServer, s3: Any) -> None:
    with pytest.raises(StoreUnavailable, match="s3_lock_mode"):
        S3Store(Bucket(NAME, "", server.url, lock_mode="COMPLIANCE", lock_days=1)).initialize()


def test_the_server_encrypts_when_told(server: ObjectStoreServer, s3: Any) -> None:
    store = S3Store(Bucket(NAME, "sse", server.url, encryption="aws:kms", kms_key=KMS_KEY))
    store.put("a", b"secret")
    store.put("a", b"secret, too")
    assert s3.head_object(Bucket=NAME, Key="sse/a")["ServerSideEncryption"] == "aws:kms"
    assert store.get("a", 100) == b"secret, too"
