"""The restore points kept in the backup store: one folder each, beside the backups they describe.

``<store>/multisite/restore-points/<id>/manifest.json`` with its signature in ``manifest.json.sig`` (``signatures``)
and its hex sha256 in ``manifest.json.sha256``, written last: a manifest without its digest is unfinished.  The store
outlives the sites and Multisite's database, so this is the truth and the database only a cache of it; and others can
write to it, so nothing in it counts that no trusted key has signed.  What kind of store it is: ``stores``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from multisite.domain.bounded import BoundedCalls, Overdue
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.manifest import Manifest, ManifestError, check_digest, digest_of, dump, load
from multisite.recovery.encryption import PLAIN, Encryption
from multisite.recovery.signatures import ManifestKeys
from multisite.recovery.stores.base import MARKER, ObjectStore, StoreHangs, StoreUnavailable, Unreadable
from multisite.recovery.stores.folder import PATIENCE, FolderStore

__all__ = [
    "MARKER",
    "PATIENCE",
    "DamagedRestorePoint",
    "ManifestStore",
    "StoreContents",
    "StoreHangs",
    "StoreUnavailable",
    "answering",
]

FOLDER, POINTS = "multisite", "restore-points"
MANIFEST = "manifest.json"
DIGEST = "manifest.json.sha256"
SIGNATURE = "manifest.json.sig"
DRAFT = "draft.json"
DRAFT_SIGNATURE = "draft.json.sig"
LARGEST = 64 << 20
"""Bytes of a manifest; a thousand volumes take about two million."""
_A_DRAFT = b"multisite.draft\0"
"""In front of what is signed of a draft: nobody can pass it for a finished manifest."""
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


@dataclass(frozen=True)
class DamagedRestorePoint:
    """A restore point in the store that must not be used; ``problem`` says what is wrong with which file."""

    id: str
    problem: str


@dataclass(frozen=True)
class StoreContents:
    """What the store holds: ``manifests`` newest ``consistent_at`` first, ``damaged`` by id."""

    manifests: tuple[Manifest, ...]
    damaged: tuple[DamagedRestorePoint, ...]


P = ParamSpec("P")
T = TypeVar("T")


def answering(
    method: Callable[Concatenate[ManifestStore, P], T],
) -> Callable[Concatenate[ManifestStore, P], T]:
    """StoreHangs when the store does not answer in time."""

    @wraps(method)
    def call(self: ManifestStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return self._reads.call(lambda: method(self, *args, **kwargs))
        except Overdue as error:
            raise StoreHangs(f"backup store {self.place}: {error}: {self.objects.remedy}") from error

    return call


class ManifestStore:
    """The restore points in one store.

    Every verb raises StoreUnavailable when the store is not there or lacks the marker ``initialize`` makes: the empty
    mount point of a share that is not mounted must not pass for a store without restore points.
    Reading raises it, too, when the store does not answer in time (``patience``, seconds).  Who writes waits
    for it: a write that was given up might still be made, later.  ``keys`` sign what is written and say whose
    manifests are read; ``encryption`` is of the manifests' files alone, digests and signatures are of what is in them.
    """

    def __init__(
        self,
        where: str | Path | ObjectStore,
        keys: ManifestKeys,
        patience: float | None = None,
        encryption: Encryption = PLAIN,
    ) -> None:
        """``where``: the path of a folder, or any other store."""
        self.objects: ObjectStore = FolderStore(where) if isinstance(where, str | Path) else where
        self.keys = keys
        self.encryption = encryption
        self._reads = BoundedCalls(self.objects.patience if patience is None else patience)

    @property
    def place(self) -> str:
        """What the store is called in messages."""
        return self.objects.place

    @property
    def path(self) -> Path:
        """Of a store that is a folder."""
        return Path(self.place)

    def initialize(self) -> None:
        """Declare it a backup store; harmless when it is one already."""
        self.objects.initialize()

    @answering
    def check(self) -> None:
        """Raise StoreUnavailable with the remedy unless the store is there."""
        self.objects.check()

    def write(self, manifest: Manifest) -> str:
        """Store a manifest and return its digest (hex sha256 of the canonical bytes).

        Writing the same manifest again is harmless.  Conflict when another one has this id; Invalid for
        an id that cannot be a directory's name; KeyUnusable.
        """
        self.check()
        data = dump(manifest)
        digest, signature = digest_of(data), self.keys.sign(data)
        folder = self._beside(POINTS, manifest.id)
        stored = self._digest(folder)
        if stored is not None and stored != digest:
            raise _another(manifest)
        self.objects.put(f"{folder}/{MANIFEST}", self.encryption.seal(data), keep=True)
        self.objects.put(f"{folder}/{SIGNATURE}", signature, keep=True)
        line, anew = f"{digest}\n".encode(), stored is not None
        finished = self.objects.put(f"{folder}/{DIGEST}", line, replace=anew, keep=True)
        if not finished and self._digest(folder) != digest:
            raise _another(manifest)
        # With it goes what a process that died while writing left; both may hold secrets of servers.
        self.objects.delete(f"{folder}/{DRAFT}", f"{folder}/{DRAFT_SIGNATURE}")
        self.objects.tidy(folder)
        return digest

    def save_draft(self, manifest: Manifest) -> None:
        """Keep what is known of a restore point that is being made: no verb but ``draft`` shows it.

        It stays out of the job's records, because user data of servers may hold secrets.
        """
        self.check()
        folder, data = self._beside(POINTS, manifest.id), dump(manifest)
        signature = self.keys.sign(_A_DRAFT + data)
        self.objects.put(f"{folder}/{DRAFT}", self.encryption.seal(data))
        self.objects.put(f"{folder}/{DRAFT_SIGNATURE}", signature)

    @answering
    def draft(self, restore_point_id: str) -> Manifest:
        """What ``save_draft`` kept; NotFound when there is none (or the restore point is finished).

        ManifestError when it is not ours: it is signed as a manifest in the end.
        """
        self.check()
        folder = self._beside(POINTS, restore_point_id)
        data = self._bytes(f"{folder}/{DRAFT}")
        if data is None:
            raise NotFound(f"restore point: there is no draft of {restore_point_id} in {self.place}")
        data = self.encryption.open(self.objects.shown(f"{folder}/{DRAFT}"), data)
        self._verify(f"{folder}/{DRAFT_SIGNATURE}", _A_DRAFT + data, "protect the application again")
        return self._loaded(folder, data)

    @answering
    def read(self, restore_point_id: str) -> Manifest:
        """A manifest, its digest and its signature verified.

        NotFound; ManifestError when it is unfinished, damaged, not signed by a trusted key or of another format.
        """
        return self._loaded(*self._signed(restore_point_id))

    @answering
    def read_unsigned(self, restore_point_id: str) -> Manifest:
        """A manifest that has no signature, its digest verified: nobody vouches for it.

        NotFound also for one that has a signature, good or bad; ManifestError.
        """
        return self._loaded(*self._unsigned(restore_point_id))

    def sign(self, restore_point_id: str) -> Manifest:
        """Vouch for a manifest that has no signature; returns it.  Raises as ``read_unsigned``, and KeyUnusable."""
        folder, data = self._unsigned(restore_point_id)
        manifest, signature = self._loaded(folder, data), self.keys.sign(data)
        self.objects.put(f"{folder}/{SIGNATURE}", signature, keep=True)
        return manifest

    def list(self) -> StoreContents:
        """Every restore point of the store; unusable ones are reported, never left out."""
        return self._contents(self.read)

    def unsigned(self) -> StoreContents:
        """The restore points that have no signature; damaged ones are those that are unusable besides."""
        return self._contents(self.read_unsigned)

    @answering
    def sealed_with_newest(self, restore_point_id: str) -> bool:
        """Whether its file is encrypted as a new one would be; what is in it is not looked at.  Raises KeyUnusable."""
        self.check()
        return self.encryption.sealed_with_newest(
            self._bytes(f"{self._beside(POINTS, restore_point_id)}/{MANIFEST}") or b""
        )

    def seal(self, restore_point_id: str) -> None:
        """Write the manifest's file anew, encrypted as a new one would be.  Raises as ``read``, and KeyUnusable."""
        folder, data = self._signed(restore_point_id)
        self.objects.put(f"{folder}/{MANIFEST}", self.encryption.seal(data), keep=True)

    @answering
    def ids(self) -> tuple[str, ...]:
        """Ids of all restore points there, usable or not, but for those being made; reads no manifest."""
        self.check()
        found = self.objects.folders(self._beside(POINTS), MANIFEST, instead_of=DRAFT)
        return tuple(sorted(name for name in found if _ID.fullmatch(name)))

    def delete(self, restore_point_id: str) -> None:
        """Remove a restore point's manifest; harmless when it is not there.  The backups are not touched."""
        self.check()
        folder = self._beside(POINTS, restore_point_id)
        # The digest first: what a crash leaves half removed counts as unfinished, never as usable.
        self.objects.delete(f"{folder}/{DIGEST}")
        self.objects.delete_folder(folder)

    def _contents(self, read: Callable[[str], Manifest]) -> StoreContents:
        manifests: list[Manifest] = []
        damaged: list[DamagedRestorePoint] = []
        for restore_point_id in self.ids():
            try:
                manifests.append(read(restore_point_id))
            except NotFound:
                continue  # deleted since it was listed, or not asked for
            except ManifestError as error:
                damaged.append(DamagedRestorePoint(restore_point_id, str(error)))
        manifests.sort(key=lambda m: m.consistent_at, reverse=True)
        return StoreContents(tuple(manifests), tuple(damaged))

    def _finished(self, restore_point_id: str) -> tuple[str, bytes]:
        """A finished manifest's folder and its bytes, which its digest fits."""
        self.check()
        folder = self._beside(POINTS, restore_point_id)
        shown = self.objects.shown(f"{folder}/{MANIFEST}")
        data = self._bytes(f"{folder}/{MANIFEST}")
        if data is None:
            if self.objects.has_folder(folder) and DRAFT not in self.objects.names(folder):
                raise ManifestError(f"{shown}: missing: it was never finished, or removed")
            raise NotFound(f"restore point: {restore_point_id} is not in the backup store {self.place}")
        digest = self._bytes(f"{folder}/{DIGEST}")
        if digest is None:
            missing = self.objects.shown(f"{folder}/{DIGEST}")
            raise ManifestError(f"{missing}: missing: the restore point was never finished")
        data = self.encryption.open(shown, data)
        check_digest(data, digest.decode("ascii", "replace"))
        return folder, data

    def _signed(self, restore_point_id: str) -> tuple[str, bytes]:
        folder, data = self._finished(restore_point_id)
        remedy = (
            f"if it is yours, vouch for it: `multisite-manage store sign-existing {restore_point_id} --yes`"
        )
        self._verify(
            f"{folder}/{SIGNATURE}", data, f"written before manifests were signed, or laid there; {remedy}"
        )
        return folder, data

    def _unsigned(self, restore_point_id: str) -> tuple[str, bytes]:
        folder, data = self._finished(restore_point_id)
        if self._bytes(f"{folder}/{SIGNATURE}") is not None:
            raise NotFound(f"restore point: {restore_point_id} has a signature already")
        return folder, data

    def _verify(self, key: str, data: bytes, unsigned: str) -> None:
        signature, shown = self._bytes(key), self.objects.shown(key)
        if signature is None:
            raise ManifestError(f"{shown}: missing: nobody vouches for the manifest: {unsigned}")
        try:
            self.keys.verify(data, signature)
        except ManifestError as error:
            raise ManifestError(f"{shown}: {error}") from error

    def shown(self, *parts: str) -> str:
        """Another file beside the restore points, as operators find it."""
        return self.objects.shown(self._beside(*parts))

    @answering
    def read_file(self, *parts: str) -> bytes | None:
        """Another file beside the restore points: folder, id, name.  None when there is none; ManifestError."""
        self.check()
        return self._bytes(self._beside(*parts))

    def write_file(self, folder: str, id: str, name: str, data: bytes, *, replace: bool = True) -> bool:
        """All of it or nothing, as manifests are; False when it is there and not to be replaced.

        Who replaces a file is alone in its folder: what one that died while writing it left goes first, and what it
        was is kept as manifests are.
        """
        self.check()
        if replace:
            self.objects.tidy(self._beside(folder, id))
        return self.objects.put(self._beside(folder, id, name), data, replace=replace, keep=replace)

    def remove_file(self, *parts: str) -> None:
        """Harmless when it is not there."""
        self.objects.delete(self._beside(*parts))

    def folders(self, folder: str) -> tuple[str, ...]:
        """Ids that have files in such a folder."""
        return tuple(name for name in self.names(folder) if _ID.fullmatch(name))

    @answering
    def names(self, *parts: str) -> tuple[str, ...]:
        """Of everything in a folder beside the restore points."""
        self.check()
        return tuple(self.objects.names(self._beside(*parts)))

    def _beside(self, folder: str, *parts: str) -> str:
        if parts and not _ID.fullmatch(parts[0]):
            raise Invalid(f"{folder}: {parts[0]!r} is not an id")
        return "/".join((FOLDER, folder, *parts))

    def _bytes(self, key: str) -> bytes | None:
        """Of a restore point's file, None when there is none.

        ManifestError for one that cannot be read while the store can: one bad file is that restore point's.
        """
        try:
            return self.objects.get(key, LARGEST)
        except Unreadable as error:
            raise ManifestError(str(error)) from error

    def _digest(self, folder: str) -> str | None:
        data = self._bytes(f"{folder}/{DIGEST}")
        return None if data is None else data.decode("ascii", "replace").strip()

    def _loaded(self, folder: str, data: bytes) -> Manifest:
        manifest = load(data)
        if manifest.id != folder.rpartition("/")[2]:
            shown = self.objects.shown(f"{folder}/{MANIFEST}")
            raise ManifestError(f"id: {shown} is the manifest of {manifest.id}: it was copied here")
        return manifest


def _another(manifest: Manifest) -> Conflict:
    return Conflict(f"restore point {manifest.id}: the backup store holds another manifest of this id")
