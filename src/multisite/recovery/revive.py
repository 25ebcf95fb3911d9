"""Restore points that were deleted or written over, of whose files the store still has earlier versions.

Whoever stole the credentials of the service can hide a restore point (a delete marker, other content on top), but where
the bucket keeps versions, locked at best, nobody can take the content away.  Back comes the newest that fits together
and that a trusted key has signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from multisite.domain.errors import NotFound
from multisite.domain.manifest import Manifest, ManifestError, digest_of, load
from multisite.recovery.manifests import DIGEST, FOLDER, MANIFEST, POINTS, SIGNATURE, ManifestStore


@dataclass(frozen=True)
class Hidden:
    """A restore point as it was: the content of its three files."""

    manifest: Manifest
    data: bytes
    signature: bytes


def hidden(store: ManifestStore) -> list[Hidden]:
    """All that the store has versions of and that cannot be used as they are now."""
    store.check()
    usable = {manifest.id for manifest in store.list().manifests}
    found = (earlier(store, id) for id in sorted(store.objects.ever(f"{FOLDER}/{POINTS}") - usable))
    return [one for one in found if one is not None]


def earlier(store: ManifestStore, id: str) -> Hidden | None:
    """The newest content of its files that fits together; None when there is none."""
    folder = f"{FOLDER}/{POINTS}/{id}"
    digests = {data.strip() for data in store.objects.versions(f"{folder}/{DIGEST}")}
    signatures = [*store.objects.versions(f"{folder}/{SIGNATURE}")]
    for stored in store.objects.versions(f"{folder}/{MANIFEST}"):
        try:
            data = store.encryption.open(store.objects.shown(f"{folder}/{MANIFEST}"), stored)
            manifest = load(data)
        except ManifestError:
            continue
        if manifest.id == id and digest_of(data).encode() in digests:
            for signature in signatures:
                if _signed(store, data, signature):
                    return Hidden(manifest, data, signature)
    return None


def revive(store: ManifestStore, id: str) -> Manifest:
    """Write it anew, the digest last.  NotFound when no version of it is usable."""
    found = earlier(store, id)
    if found is None:
        raise NotFound(f"restore point: the store has no version of {id} that a trusted key has signed")
    folder = f"{FOLDER}/{POINTS}/{id}"
    store.objects.put(f"{folder}/{MANIFEST}", store.encryption.seal(found.data), keep=True)
    store.objects.put(f"{folder}/{SIGNATURE}", found.signature, keep=True)
    store.objects.put(f"{folder}/{DIGEST}", f"{digest_of(found.data)}\n".encode(), keep=True)
    return found.manifest


def _signed(store: ManifestStore, data: bytes, signature: bytes) -> bool:
    try:
        store.keys.verify(data, signature)
    except ManifestError:
        return False
    return True
