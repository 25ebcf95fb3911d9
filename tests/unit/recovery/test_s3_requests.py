"""What is asked of a server that speaks S3, without one: conditions, locks, errors (`tests/stores` has a real one)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from multisite.recovery.stores.base import MARK, StoreUnavailable, Unreadable
from multisite.recovery.stores.s3 import Bucket, S3Store

LOCKED = Bucket(
    "b", "p", "http://127.0.0.1:9", lock_mode="COMPLIANCE", lock_days=7, encryption="aws:kms", kms_key="k"
)
KEY = "p/multisite/x"
PUT = {"Bucket": "b", "Key": KEY, "Body": ANY, "ContentMD5": ANY}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")


@pytest.fixture
def store() -> S3Store:
    return S3Store(Bucket("b", "p", "http://127.0.0.1:9"))


@pytest.fixture
def server(store: S3Store) -> Iterator[Any]:
    with Stubber(store._client()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def body(data: bytes) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(data), len(data)), "ContentLength": len(data)}


def test_what_is_new_is_put_only_when_it_is_not_there(store: S3Store, server: Any) -> None:
    server.add_response("put_object", {}, PUT | {"IfNoneMatch": "*"})
    server.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    assert store.put("multisite/x", b"1", replace=False)
    assert not store.put("multisite/x", b"2", replace=False)


def test_what_is_replaced_is_as_it_was_seen(store: S3Store, server: Any) -> None:
    server.add_response("head_object", {"ETag": '"abc"'}, {"Bucket": "b", "Key": KEY})
    server.add_response("put_object", {}, PUT | {"IfMatch": "abc"})
    server.add_client_error("head_object", "404", http_status_code=404)
    server.add_response("put_object", {}, PUT | {"IfNoneMatch": "*"})
    assert store.put("multisite/x", b"1")
    assert store.put("multisite/x", b"1")


def test_who_lost_a_race_for_a_replacement_is_told(store: S3Store, server: Any) -> None:
    server.add_response("head_object", {"ETag": '"abc"'})
    server.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    with pytest.raises(StoreUnavailable, match="changed by somebody else"):
        store.put("multisite/x", b"1")


def test_what_is_kept_is_locked_and_encrypted() -> None:
    store = S3Store(LOCKED)
    secure = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": ANY}
    with Stubber(store._client()) as server:
        server.add_response("put_object", {}, PUT | {"IfNoneMatch": "*"} | secure | lock)
        server.add_response("put_object", {}, PUT | {"IfNoneMatch": "*"} | secure)
        assert store.put("multisite/x", b"1", replace=False, keep=True)
        assert store.put("multisite/x", b"1", replace=False)


def test_a_server_without_conditions_needs_versions(store: S3Store, server: Any) -> None:
    server.add_response("head_bucket", {})
    server.add_response("put_object", {})
    server.add_response("put_object", {})
    server.add_response("get_bucket_versioning", {})
    with pytest.raises(StoreUnavailable, match="If-None-Match"):
        store.initialize()


def test_with_versions_the_first_of_the_new_ones_is_it(store: S3Store, server: Any) -> None:
    server.add_response("head_bucket", {})
    server.add_response("get_object", body(MARK + b"unconditional\n"))
    store.check()
    for rival in ([], [{"Key": KEY, "VersionId": "earlier"}]):
        server.add_response("list_object_versions", {"IsTruncated": False})
        server.add_client_error("head_object", "404", http_status_code=404)
        server.add_response("put_object", {"VersionId": "mine"}, PUT)
        versions = [{"Key": KEY, "VersionId": "mine"}, *rival]
        server.add_response("list_object_versions", {"IsTruncated": False, "Versions": versions})
        if rival:
            server.add_response("delete_object", {}, {"Bucket": "b", "Key": KEY, "VersionId": "mine"})
        assert store.put("multisite/x", b"1", replace=False) is not bool(rival)


def test_pages_are_followed_and_drafts_are_none(store: S3Store, server: Any) -> None:
    names = ["a/manifest.json", "b/draft.json", "c/manifest.json", "c/draft.json"]
    prefix = "p/multisite/restore-points/"
    for n, name in enumerate(names):
        more = {"IsTruncated": n < 3, **({"NextContinuationToken": "t"} if n < 3 else {})}
        server.add_response("list_objects_v2", {"Contents": [{"Key": prefix + name}], **more})
    found = store.folders("multisite/restore-points", "manifest.json", instead_of="draft.json")
    assert list(found) == ["a", "c"]


def test_one_bad_object_is_not_the_store(store: S3Store, server: Any) -> None:
    server.add_client_error("get_object", "InvalidObjectState", http_status_code=403)
    server.add_response("head_bucket", {})
    with pytest.raises(Unreadable, match="InvalidObjectState"):
        store.get("multisite/x", 10)
    server.add_client_error("get_object", "AccessDenied", http_status_code=403)
    server.add_client_error("head_bucket", "403", http_status_code=403)
    with pytest.raises(StoreUnavailable):
        store.get("multisite/x", 10)
    server.add_response("get_object", body(b"0123456789"))
    with pytest.raises(Unreadable, match="more than 9 bytes"):
        store.get("multisite/x", 9)
    server.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    assert store.get("multisite/x", 9) is None
    for _ in range(2):  # what may be repeated is, once
        server.add_client_error("get_object", "SlowDown", http_status_code=503)
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        store.get("multisite/x", 9)
