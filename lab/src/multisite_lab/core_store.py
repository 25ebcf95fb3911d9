"""The object store of the form `--object-store`: in the core, outside of every site, so that no loss takes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from multisite_lab import form, netns, paths
from multisite_lab.model import CORE_MANAGEMENT, CORE_NAMESPACE, LabError
from multisite_lab.objectstore import Account, ObjectStoreServer

MANIFESTS, BACKUPS = "multisite", "volumebackups"
_MAKE_BUCKET = """
import os, sys
from botocore.config import Config
from botocore.session import Session
client = Session().create_client("s3", region_name="us-east-1", endpoint_url=sys.argv[1], config=Config(
    s3={"addressing_style": "path"}))
if sys.argv[2] not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
    client.create_bucket(Bucket=sys.argv[2])
"""


@dataclass(frozen=True)
class Parameters:
    """What its clients are told; the buckets of Multisite's manifests and of Cinder's backups."""

    url: str
    account: Account
    manifests: str = MANIFESTS
    backups: str = BACKUPS


def folder() -> Path:
    """Everything it keeps."""
    return paths.state() / "object-store"


def server() -> ObjectStoreServer:
    """It, running or not."""
    return ObjectStoreServer(folder(), CORE_MANAGEMENT, netns.enter(CORE_NAMESPACE), durable=True)


def parameters() -> Parameters | None:
    """None in forms without one."""
    if not form.current().object_store:
        return None
    store = server()
    return Parameters(store.url, store.account)


def ensure(report: Callable[[str], None]) -> None:
    """Start what of it does not run; make the bucket of manifests (Cinder makes its own)."""
    store = server()
    if not store.running():
        report("object store: starting")
        store.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store.start()
    command = [*netns.enter(CORE_NAMESPACE), sys.executable, "-c", _MAKE_BUCKET, store.url, MANIFESTS]
    keys = {"AWS_ACCESS_KEY_ID": store.account.access_key, "AWS_SECRET_ACCESS_KEY": store.account.secret_key}
    done = subprocess.run(command, capture_output=True, text=True, env=keys)
    if done.returncode:
        raise LabError(f"the object store takes no bucket: {done.stderr.strip()[-400:]}")


def stop() -> None:
    """End it, if it was made; what it keeps stays."""
    if folder().exists():
        server().stop()
