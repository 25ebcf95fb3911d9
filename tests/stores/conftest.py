"""One gateway for all tests; a bucket or container, and a prefix in it, for each."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from identity import nodes
from stores.samples import LOCKED, NAME

from multisite.recovery.manifests import ManifestStore
from multisite.recovery.signatures import ManifestKeys
from multisite.recovery.stores import flat
from multisite.recovery.stores import s3 as s3_store
from multisite.recovery.stores import swift as swift_store
from multisite.recovery.stores.flat import FlatStore
from multisite.recovery.stores.s3 import Bucket, S3Store
from multisite.recovery.stores.swift import Container, SwiftStore
from multisite_lab.objectstore import ObjectStoreServer

SLOWER = int(os.environ.get("MULTISITE_TESTS_SLOWER", "1"))
"""How many times as long a store may take, on a machine with much other work."""
for module in (s3_store, swift_store):
    module.READ_SECONDS *= SLOWER
    module.CONNECT_SECONDS *= SLOWER
flat.FlatStore.patience *= SLOWER


@pytest.fixture(scope="session")
def server() -> Iterator[ObjectStoreServer]:
    nodes.own_network()
    guardian = nodes.Guardian()
    # In memory: what is proven here is not the disk. Short: sockets have their place in it.
    folder = Path(tempfile.mkdtemp(prefix="ms-store-", dir="/dev/shm"))
    made = ObjectStoreServer(folder, watch=guardian.watch)
    try:
        made.start()
        os.environ["AWS_ACCESS_KEY_ID"] = made.account.access_key
        os.environ["AWS_SECRET_ACCESS_KEY"] = made.account.secret_key
        yield made
    finally:
        made.stop()
        guardian.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3(server: ObjectStoreServer) -> Any:
    """A client of botocore, with the buckets made."""
    client = S3Store(Bucket(NAME, endpoint=server.url))._client()
    client.create_bucket(Bucket=NAME)
    client.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    return client


@pytest.fixture(scope="session")
def clouds(server: ObjectStoreServer) -> Path:
    """A clouds.yaml with the account's entry, and its container made."""
    account = server.account
    auth = {
        "auth_url": f"{server.url}/auth/v1.0",
        "username": account.swift_user,
        "password": account.swift_key,
    }
    wrong = auth | {"password": "wrong"}
    file = server.folder / "clouds.yaml"
    entries = {
        name: {"auth_type": "v1password", "auth": a} for name, a in (("store", auth), ("wrong", wrong))
    }
    file.write_text(yaml.safe_dump({"clouds": entries}))
    answer = SwiftStore(Container(NAME, "store", file))._ask("PUT", "")
    assert answer.ok, answer.text
    return file


Make = Callable[..., FlatStore]


@pytest.fixture(params=["s3", "s3-versions"])
def make(request: pytest.FixtureRequest, server: ObjectStoreServer) -> Make:
    """A store of either kind in a prefix of the test's own: the same one at each call."""
    prefix = uuid.uuid4().hex
    request.getfixturevalue("s3")
    name = NAME if request.param == "s3" else LOCKED
    return lambda **more: S3Store(
        Bucket(**{"name": name, "prefix": prefix, "endpoint": server.url} | more)  # type: ignore[arg-type]
    )


@pytest.fixture
def store(make: Make) -> FlatStore:
    made = make()
    made.initialize()
    return made


@pytest.fixture
def manifests(store: FlatStore, tmp_path: Path) -> ManifestStore:
    keys = ManifestKeys.at(tmp_path)
    keys.make()
    return ManifestStore(store, keys)
