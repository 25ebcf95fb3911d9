"""A backup store that is a bucket of S3, or of what speaks it (Ceph, MinIO): through botocore.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/.  A put is whole or not at all, read after it is written, and
conditional (``If-None-Match``, ``If-Match``), so that a request which the server carries out late, after it was given
up here, writes over nothing newer.  (Ceph's Pacific does not keep to conditions in buckets with versions: there the
first version of a new key is the one that counts, and a late one is only another version.)  With an object lock nobody
who has the credentials can remove what restore points are made of before the time is over; what was deleted or written
over until then is found by its version.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from botocore.session import Session

from multisite.domain import fence
from multisite.recovery.stores.base import StoreHangs, StoreUnavailable, Unreadable
from multisite.recovery.stores.flat import ATTEMPTS, CONNECT_SECONDS, PAGE, READ_SECONDS, FlatStore

T = TypeVar("T")
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_DEFEATED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
# Its debug messages have the bodies of answers: manifests, with user data of servers.
logging.getLogger("botocore").setLevel(logging.INFO)


@dataclass(frozen=True)
class Bucket:
    """Where manifests are kept.  ``profile`` of ``credentials_file``, else botocore's own chain (environment, ...).

    ``encryption``: ``AES256`` or ``aws:kms`` (with ``kms_key``), None: as the bucket is set.  ``lock_mode``:
    ``COMPLIANCE`` or ``GOVERNANCE`` for ``lock_days``; the bucket must have been made with object lock.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    credentials_file: str | None = None
    ca_file: str | None = None
    encryption: str | None = None
    kms_key: str | None = None
    lock_mode: str | None = None
    lock_days: int = 0


class S3Store(FlatStore):
    """An ``ObjectStore``."""

    cinder_drivers = frozenset({"s3"})

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.prefix)
        self._bucket = bucket
        at = f" at {bucket.endpoint}" if bucket.endpoint else ""
        self.place = f"s3://{bucket.name}/{self._prefix}{at}"
        self._made: Any = None
        self._making = threading.Lock()

    def shown(self, key: str) -> str:
        return f"s3://{self._bucket.name}/{self._name(key)}"

    def look(self) -> None:
        name = self._bucket.name
        try:
            self._ask(lambda client: client.head_bucket(Bucket=name))
            if self._bucket.lock_mode:
                self._ask(lambda client: client.get_object_lock_configuration(Bucket=name))
        except ClientError as error:
            if _code(error) == "ObjectLockConfigurationNotFoundError":
                raise self._unavailable(
                    "the bucket has no object lock, and [backup_store] s3_lock_mode asks for one: it is switched on"
                    " when a bucket is made"
                ) from error
            if _code(error) in ("404", "NoSuchBucket"):
                raise self._unavailable("there is no such bucket: make it first") from error
            raise self._refused(error) from error

    def get(self, key: str, largest: int) -> bytes | None:
        def read(client: Any) -> bytes:
            answer = client.get_object(Bucket=self._bucket.name, Key=self._name(key))
            if answer["ContentLength"] > largest:
                raise Unreadable(f"{self.shown(key)}: more than {largest} bytes: not written by Multisite")
            data: bytes = answer["Body"].read()  # the whole of it, or an error
            return data

        try:
            return self._ask(read)
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            if _status(error) >= 500 or _code(error) == "NoSuchBucket":
                raise self._refused(error) from error
            self.look()
            raise Unreadable(f"{self.shown(key)}: cannot be read: {_words(error)}") from error

    def put(self, key: str, data: bytes, *, replace: bool = True, keep: bool = False) -> bool:
        name = self._name(key)
        if not self._conditional:
            return self._put_versioned(name, data, replace=replace, keep=keep)
        condition = self._as_it_is(name) if replace else {"IfNoneMatch": "*"}
        try:
            self._send(name, data, keep, condition)
        except ClientError as error:
            if _code(error) not in _DEFEATED:
                raise self._refused(error) from error
            if replace:
                raise self._unavailable(
                    f"{self.shown(key)} is being changed by somebody else: try again"
                ) from error
            return False
        return True

    def _put_versioned(self, name: str, data: bytes, *, replace: bool, keep: bool) -> bool:
        """Where conditions do not hold, as in buckets with versions of Ceph's Pacific: of new ones the first is it."""
        before = {id for _, id in self._ids(name)}
        try:
            if not replace and "IfMatch" in self._as_it_is(name):
                return False
            mine = self._send(name, data, keep, {}).get("VersionId")
            if replace:
                return True
            new = [id for kind, id in self._ids(name) if kind == "Versions" and id not in before]
            if new and new[-1] != mine:  # somebody else was first
                with suppress(ClientError):  # under a lock mine stays, and is not it
                    self._ask(
                        lambda client: client.delete_object(
                            Bucket=self._bucket.name, Key=name, VersionId=mine
                        )
                    )
                return False
        except ClientError as error:
            raise self._refused(error) from error
        return True

    def _send(self, name: str, data: bytes, keep: bool, condition: dict[str, str]) -> dict[str, Any]:
        """Not repeated: whether a put without an answer was made is not known, and a second one would find it."""
        fence.check()
        return self._ask(
            lambda client: client.put_object(
                Bucket=self._bucket.name,
                Key=name,
                Body=data,
                ContentMD5=base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
                **condition,
                **self._protection(keep),
            ),
            attempts=1,
        )

    def _ids(self, name: str) -> list[tuple[str, str]]:
        """Of the versions of one key, newest first."""
        found = self._versions(name)
        return [(kind, version["VersionId"]) for kind, version in found if version["Key"] == name]

    def _has_versions(self) -> bool:
        told = self._page(lambda client: client.get_bucket_versioning(Bucket=self._bucket.name))
        return told.get("Status") == "Enabled"

    def holds(self, container: str, name: str) -> bool | None:
        try:
            self._ask(lambda client: client.get_object(Bucket=container, Key=name, Range="bytes=0-0"))
        except ClientError as error:
            if _code(error) in _ABSENT or _code(error) == "NoSuchBucket":
                return None  # a bucket of that name may be elsewhere, too
            if _code(error) != "InvalidRange":  # empty
                raise self._refused(error) from error
        return True

    def versions(self, key: str) -> Iterator[bytes]:
        name = self._name(key)
        for kind, version in self._versions(name):
            if kind == "Versions" and version["Key"] == name:
                where = {"Bucket": self._bucket.name, "Key": name, "VersionId": version["VersionId"]}
                yield self._ask(partial(_content, where=where))

    def ever(self, folder: str) -> frozenset[str]:
        prefix = f"{self._name(folder)}/"
        found = self._versions(prefix)
        return frozenset(version["Key"].removeprefix(prefix).partition("/")[0] for _, version in found)

    def _as_it_is(self, name: str) -> dict[str, str]:
        """The condition that nobody has changed it since."""
        try:
            head = self._ask(lambda client: client.head_object(Bucket=self._bucket.name, Key=name))
        except ClientError as error:
            if _code(error) in _ABSENT:
                return {"IfNoneMatch": "*"}
            raise self._refused(error) from error
        return {"IfMatch": head["ETag"].strip('"')}  # Ceph's Pacific compares it with quotes to one without

    def _protection(self, keep: bool) -> dict[str, Any]:
        told: dict[str, Any] = {}
        bucket = self._bucket
        if bucket.encryption:
            told["ServerSideEncryption"] = bucket.encryption
        if bucket.kms_key:
            told["SSEKMSKeyId"] = bucket.kms_key
        if keep and bucket.lock_mode:
            told["ObjectLockMode"] = bucket.lock_mode
            told["ObjectLockRetainUntilDate"] = datetime.now(UTC) + timedelta(days=bucket.lock_days)
        return told

    def _list(self, prefix: str, delimiter: str) -> Iterator[str]:
        where = {"Bucket": self._bucket.name, "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": PAGE}
        more: dict[str, str] = {}
        while True:
            page = self._page(partial(_listed, call="list_objects_v2", where=where | more))
            found = [entry["Key"] for entry in page.get("Contents", ())]
            yield from sorted(found + [entry["Prefix"] for entry in page.get("CommonPrefixes", ())])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _versions(self, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Newest first of each key, with ``Versions`` or ``DeleteMarkers`` in front."""
        more: dict[str, str] = {}
        while True:
            where = {"Bucket": self._bucket.name, "Prefix": prefix, "MaxKeys": PAGE} | more
            page = self._page(partial(_listed, call="list_object_versions", where=where))
            for kind in ("Versions", "DeleteMarkers"):
                yield from ((kind, entry) for entry in page.get(kind, ()))
            if not page.get("IsTruncated"):
                return
            more = {
                "KeyMarker": page["NextKeyMarker"],
                "VersionIdMarker": page.get("NextVersionIdMarker", ""),
            }

    def _page(self, call: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        try:
            return self._ask(call)
        except ClientError as error:
            raise self._refused(error) from error

    def _remove(self, name: str) -> None:
        try:
            self._ask(lambda client: client.delete_object(Bucket=self._bucket.name, Key=name))
        except ClientError as error:
            if _code(error) not in _ABSENT:
                raise self._refused(error) from error

    def _ask(self, call: Callable[[Any], T], attempts: int = ATTEMPTS) -> T:
        """StoreUnavailable without an answer; ClientError with one that is none of success."""
        for attempt in range(1, attempts + 1):
            try:
                return call(self._client())
            except (NoCredentialsError, PartialCredentialsError) as error:
                raise self._unavailable(
                    f"{error}: set [backup_store] s3_credentials_file and s3_profile, or AWS_ACCESS_KEY_ID and"
                    " AWS_SECRET_ACCESS_KEY in the environment of the service"
                ) from error
            except BotoCoreError as error:
                if attempt == attempts:
                    raise StoreHangs(f"backup store {self.place}: {error}: {self.remedy}") from error
            except ClientError as error:
                if _status(error) < 500 or attempt == attempts:
                    raise
        raise AssertionError("unreachable")

    def _client(self) -> Any:
        """One for all threads, made when it is needed first."""
        with self._making:
            if self._made is None:
                self._made = self._new_client()
            return self._made

    def _new_client(self) -> Any:
        bucket = self._bucket
        session = Session(profile=bucket.profile)
        if bucket.credentials_file:
            session.set_config_variable("credentials_file", bucket.credentials_file)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=16,
            signature_version="s3v4",
            s3={"addressing_style": "path" if bucket.endpoint else "auto"},
            # Servers that only speak S3 do not know the newer checksums; ours is Content-MD5.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        region = bucket.region or ("us-east-1" if bucket.endpoint else None)
        return session.create_client(
            "s3", region_name=region, endpoint_url=bucket.endpoint, verify=bucket.ca_file, config=config
        )

    def _refused(self, error: ClientError) -> StoreUnavailable:
        return self._unavailable(_words(error))

    def _unavailable(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"backup store {self.place}: {why}")


def _content(client: Any, where: dict[str, Any]) -> bytes:
    data: bytes = client.get_object(**where)["Body"].read()
    return data


def _listed(client: Any, call: str, where: dict[str, Any]) -> dict[str, Any]:
    page: dict[str, Any] = getattr(client, call)(**where)
    return page


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _words(error: ClientError) -> str:
    told = error.response.get("Error", {})
    return f"{error.operation_name}: {told.get('Code', '')} {told.get('Message') or ''}".strip()
