"""The restore points kept in the backup store: one directory each, beside the backups they describe.

``<store>/multisite/restore-points/<id>/manifest.json`` with its signature in ``manifest.json.sig`` (``signatures``)
and its hex sha256 in ``manifest.json.sha256``, written last: a manifest without its digest is unfinished.  The store
outlives the sites and Multisite's database, so this is the truth and the database only a cache of it; and others can
write to it, so nothing in it counts that no trusted key has signed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from multisite.domain import fence
from multisite.domain.bounded import BoundedCalls, Overdue
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.manifest import Manifest, ManifestError, check_digest, digest_of, dump, load
from multisite.recovery.encryption import PLAIN, Encryption
from multisite.recovery.files import TooLarge, folders, make_durably, read_file, sync_directory, write_durably
from multisite.recovery.signatures import ManifestKeys

MARKER, POINTS = ".multisite-store", "restore-points"
MANIFEST = "manifest.json"
DIGEST = "manifest.json.sha256"
SIGNATURE = "manifest.json.sig"
DRAFT = "draft.json"
DRAFT_SIGNATURE = "draft.json.sig"
PATIENCE = 10.0
"""Seconds a read may take."""
LARGEST = 64 << 20
"""Bytes of a manifest; a thousand volumes take about two million."""
_A_DRAFT = b"multisite.draft\0"
"""In front of what is signed of a draft: nobody can pass it for a finished manifest."""
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


class StoreUnavailable(MultisiteError):
    """The backup store cannot be read or written: which restore points there are is unknown."""

    status = 503


class StoreHangs(StoreUnavailable):
    """Its file system does not answer; the message says since when."""


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
    """StoreUnavailable when the file system does not answer in time."""

    @wraps(method)
    def call(self: ManifestStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return self._reads.call(lambda: method(self, *args, **kwargs))
        except Overdue as error:
            raise StoreHangs(f"backup store {self.path}: {error}: is its file server there?") from error

    return call


class ManifestStore:
    """The restore points under one directory, usually a mount that managers and Cinder's backups share.

    Every verb raises StoreUnavailable when the directory is absent or lacks the marker ``initialize`` makes: the empty
    mount point of a share that is not mounted must not pass for a store without restore points.
    Reading raises it, too, when the file system does not answer in time (``patience``, seconds).  Who writes waits
    for it: a write that was given up might still be made, later.  ``keys`` sign what is written and say whose
    manifests are read; ``encryption`` is of the manifests' files alone, digests and signatures are of what is in them.
    """

    def __init__(
        self,
        path: str | Path,
        keys: ManifestKeys,
        patience: float = PATIENCE,
        encryption: Encryption = PLAIN,
    ) -> None:
        self.path = Path(path)
        self.keys = keys
        self.encryption = encryption
        self._reads = BoundedCalls(patience)

    def initialize(self) -> None:
        """Declare the directory a backup store, once it is mounted; harmless when it is one already."""
        if not self.path.is_dir():
            raise StoreUnavailable(
                f"backup store {self.path}: there is no such directory: create or mount it first"
            )
        marker = self.path / MARKER
        if marker.is_file():
            return
        with _reachable(self.path):
            write_durably(marker, b"multisite.backup-store/1\n")

    @answering
    def check(self) -> None:
        """Raise StoreUnavailable with the remedy unless the store is there."""
        with _reachable(self.path):
            present = (self.path / MARKER).is_file()
        if present:
            return
        if not self.path.is_dir():
            raise StoreUnavailable(f"backup store {self.path}: there is no such directory: is it mounted?")
        raise StoreUnavailable(
            f"backup store {self.path}: {MARKER} is not in it: it is not mounted, or not initialized yet"
            " (multisite-manage store initialize)"
        )

    def write(self, manifest: Manifest) -> str:
        """Store a manifest and return its digest (hex sha256 of the canonical bytes).

        Writing the same manifest again is harmless.  Conflict when another one has this id; Invalid for
        an id that cannot be a directory's name; KeyUnusable.
        """
        self.check()
        data = dump(manifest)
        digest, signature = digest_of(data), self.keys.sign(data)
        directory = self._beside(POINTS, manifest.id)
        stored = _read_text(directory / DIGEST)
        if stored is not None and stored.strip() != digest:
            raise Conflict(f"restore point {manifest.id}: the backup store holds another manifest of this id")
        with _reachable(self.path):
            make_durably(directory, parents=2)
            write_durably(directory / MANIFEST, self.encryption.seal(data))
            write_durably(directory / SIGNATURE, signature)
            write_durably(directory / DIGEST, f"{digest}\n".encode())
            # With it goes what a process that died while writing left; both may hold secrets of servers.
            for left in (directory / DRAFT, directory / DRAFT_SIGNATURE, *directory.glob(".*.tmp")):
                left.unlink(missing_ok=True)
        return digest

    def save_draft(self, manifest: Manifest) -> None:
        """Keep what is known of a restore point that is being made: no verb but ``draft`` shows it.

        It stays out of the job's records, because user data of servers may hold secrets.
        """
        self.check()
        directory, data = self._beside(POINTS, manifest.id), dump(manifest)
        signature = self.keys.sign(_A_DRAFT + data)
        with _reachable(self.path):
            make_durably(directory, parents=2)
            write_durably(directory / DRAFT, self.encryption.seal(data))
            write_durably(directory / DRAFT_SIGNATURE, signature)

    @answering
    def draft(self, restore_point_id: str) -> Manifest:
        """What ``save_draft`` kept; NotFound when there is none (or the restore point is finished).

        ManifestError when it is not ours: it is signed as a manifest in the end.
        """
        self.check()
        path = self._beside(POINTS, restore_point_id) / DRAFT
        data = self._bytes(path)
        if data is None:
            raise NotFound(f"restore point: there is no draft of {restore_point_id} in {self.path}")
        data = self.encryption.open(path, data)
        self._verify(path.with_name(DRAFT_SIGNATURE), _A_DRAFT + data, "protect the application again")
        return _loaded(path, data)

    @answering
    def read(self, restore_point_id: str) -> Manifest:
        """A manifest, its digest and its signature verified.

        NotFound; ManifestError when it is unfinished, damaged, not signed by a trusted key or of another format.
        """
        return _loaded(*self._signed(restore_point_id))

    @answering
    def read_unsigned(self, restore_point_id: str) -> Manifest:
        """A manifest that has no signature, its digest verified: nobody vouches for it.

        NotFound also for one that has a signature, good or bad; ManifestError.
        """
        path, data = self._unsigned(restore_point_id)
        return _loaded(path, data)

    def sign(self, restore_point_id: str) -> Manifest:
        """Vouch for a manifest that has no signature; returns it.  Raises as ``read_unsigned``, and KeyUnusable."""
        path, data = self._unsigned(restore_point_id)
        manifest, signature = _loaded(path, data), self.keys.sign(data)
        with _reachable(self.path):
            write_durably(path.with_name(SIGNATURE), signature)
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
            self._bytes(self._beside(POINTS, restore_point_id) / MANIFEST) or b""
        )

    def seal(self, restore_point_id: str) -> None:
        """Write the manifest's file anew, encrypted as a new one would be.  Raises as ``read``, and KeyUnusable."""
        path, data = self._signed(restore_point_id)
        with _reachable(self.path):
            write_durably(path, self.encryption.seal(data))

    @answering
    def ids(self) -> tuple[str, ...]:
        """Ids of all restore points there, usable or not, but for those being made; reads no manifest."""
        self.check()
        try:
            return tuple(sorted(self._directories()))
        except FileNotFoundError:
            return ()  # initialized, and nothing was written yet
        except OSError as error:
            raise _unavailable(self.path, error) from error

    def delete(self, restore_point_id: str) -> None:
        """Remove a restore point's manifest; harmless when it is not there.  The backups are not touched."""
        self.check()
        directory = self._beside(POINTS, restore_point_id)
        fence.check()
        with _reachable(self.path):
            # The digest first: what a crash leaves half removed counts as unfinished, never as usable.
            (directory / DIGEST).unlink(missing_ok=True)
            if directory.is_dir():
                shutil.rmtree(directory)
                sync_directory(directory.parent)

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

    def _finished(self, restore_point_id: str) -> tuple[Path, bytes]:
        """A finished manifest's file and bytes, which its digest fits."""
        self.check()
        path = self._beside(POINTS, restore_point_id) / MANIFEST
        data = self._bytes(path)
        if data is None:
            if path.parent.is_dir() and not path.with_name(DRAFT).is_file():
                raise ManifestError(f"{path}: missing: it was never finished, or removed")
            raise NotFound(f"restore point: {restore_point_id} is not in the backup store {self.path}")
        digest = self._bytes(path.with_name(DIGEST))
        if digest is None:
            raise ManifestError(f"{path.with_name(DIGEST)}: missing: the restore point was never finished")
        data = self.encryption.open(path, data)
        check_digest(data, digest.decode("ascii", "replace"))
        return path, data

    def _signed(self, restore_point_id: str) -> tuple[Path, bytes]:
        path, data = self._finished(restore_point_id)
        remedy = (
            f"if it is yours, vouch for it: `multisite-manage store sign-existing {restore_point_id} --yes`"
        )
        self._verify(
            path.with_name(SIGNATURE), data, f"written before manifests were signed, or laid there; {remedy}"
        )
        return path, data

    def _unsigned(self, restore_point_id: str) -> tuple[Path, bytes]:
        path, data = self._finished(restore_point_id)
        if self._bytes(path.with_name(SIGNATURE)) is not None:
            raise NotFound(f"restore point: {restore_point_id} has a signature already")
        return path, data

    def _verify(self, path: Path, data: bytes, unsigned: str) -> None:
        signature = self._bytes(path)
        if signature is None:
            raise ManifestError(f"{path}: missing: nobody vouches for the manifest: {unsigned}")
        try:
            self.keys.verify(data, signature)
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}") from error

    @answering
    def read_file(self, *parts: str) -> bytes | None:
        """Another file beside the restore points: folder, id, name.  None when there is none; ManifestError."""
        self.check()
        return self._bytes(self._beside(*parts))

    def write_file(self, folder: str, id: str, name: str, data: bytes, *, replace: bool = True) -> bool:
        """All of it or nothing, as manifests are; False when it is there and not to be replaced.

        Who replaces a file is alone in it: what one that died while writing it left goes first.
        """
        self.check()
        path = self._beside(folder, id, name)
        with _reachable(self.path):
            make_durably(path.parent, parents=2)
            for left in path.parent.glob(f".{name}.*.tmp") if replace else ():
                left.unlink(missing_ok=True)
            with suppress(FileExistsError):
                write_durably(path, data, replace=replace)
                return True
        return False

    def remove_file(self, *parts: str) -> None:
        """Harmless when it is not there."""
        with _reachable(self.path):
            self._beside(*parts).unlink(missing_ok=True)

    def folders(self, folder: str) -> tuple[str, ...]:
        """Ids that have files in such a folder."""
        return tuple(name for name in self.names(folder) if _ID.fullmatch(name))

    @answering
    def names(self, *parts: str) -> tuple[str, ...]:
        """Of everything in a folder beside the restore points."""
        self.check()
        with _reachable(self.path), suppress(FileNotFoundError):
            return tuple(entry.name for entry in self._beside(*parts).iterdir())
        return ()

    def _beside(self, folder: str, *parts: str) -> Path:
        if parts and not _ID.fullmatch(parts[0]):
            raise Invalid(f"{folder}: {parts[0]!r} is not an id")
        return self.path.joinpath("multisite", folder, *parts)

    def _bytes(self, path: Path) -> bytes | None:
        """Of a restore point's file, None when there is none.

        ManifestError for one that cannot be read while the store can: one bad file is that restore point's.
        """
        try:
            return read_file(path, LARGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.check()
            raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from error
        except TooLarge as error:
            raise ManifestError(str(error)) from error

    def _directories(self) -> Iterator[str]:
        found = folders(self._beside(POINTS), MANIFEST, instead_of=DRAFT)
        return (name for name in found if _ID.fullmatch(name))


def _loaded(path: Path, data: bytes) -> Manifest:
    manifest = load(data)
    if manifest.id != path.parent.name:
        raise ManifestError(f"id: {path} is the manifest of {manifest.id}: it was copied here")
    return manifest


def _read_text(path: Path) -> str | None:
    with _reachable(path), suppress(FileNotFoundError):
        return path.read_text(encoding="ascii", errors="replace")
    return None


@contextmanager
def _reachable(path: Path) -> Iterator[None]:
    """What cannot be read or written within makes the store unavailable."""
    try:
        yield
    except OSError as error:
        raise _unavailable(path, error) from error


def _unavailable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"backup store {path}: {error.strerror or error}: is it mounted and writable?")
