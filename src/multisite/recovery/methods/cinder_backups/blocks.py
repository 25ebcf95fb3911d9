"""The blocks of backups in the mounted backup store, compared with the digests that Cinder wrote beside them.

Source: Cinder's ``backup/chunkeddriver.py`` and ``backup/drivers/posix.py``.  Beside the chunks of a backup
(``<prefix>-00001``, packed) are ``<prefix>_metadata`` (which bytes of the volume each has, ``objects``) and
``<prefix>_sha256file``: the sha256 of every block (``chunk_size`` bytes, 32 KiB by default) of the whole volume as it
was read, also of an incremental backup.  The newest of a chain so says how the volume was at the consistency point; its
digest is kept in the manifest, which is signed.  A restore does not look at any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from multisite.domain.drill import VolumeDigest
from multisite.domain.manifest import VolumeRecord
from multisite.jobs.model import StepFailed
from multisite.recovery.manifests import ManifestStore, StoreUnavailable, answering
from multisite.recovery.methods.cinder_backups.payload import BackupRecord, chain_of
from multisite.recovery.methods.cinder_backups.stored import metadata_file
from multisite.recovery.methods.cinder_backups.unpack import DAMAGED, UNPACK, blocks, pieces
from multisite.recovery.stores.folder import FolderStore

_REMEDY = "recover from another restore point, make a full backup now, and have the store's disks looked at"
_ALIKE = {"gzip": "zlib", "bzip2": "bz2", "off": "none", "no": "none"}


@dataclass(frozen=True)
class _Chunk:
    offset: int
    length: int
    compression: str
    md5: str


@dataclass(frozen=True)
class _Metadata:
    objects: list[dict[str, _Chunk]]


@dataclass(frozen=True)
class _Digests:
    chunk_size: int
    sha256s: list[str]


_METADATA, _DIGESTS = TypeAdapter(_Metadata), TypeAdapter(_Digests)


def block_digest(store: ManifestStore, record: Mapping[str, str]) -> str | None:
    """The digest of all blocks of a volume as a backup has read it; None where Cinder keeps its files elsewhere."""
    where = _file(store, record)
    if where is None:
        return None
    try:
        return _digest(_digests(store, store.path / where))
    except (OSError, ValueError, StoreUnavailable):
        return None


def carried_bytes(store: ManifestStore, record: Mapping[str, str]) -> int | None:
    """So many bytes of its volume a backup has in its chunks; None where Cinder keeps its files elsewhere."""
    where = _file(store, record)
    if where is None:
        return None
    try:
        metadata = _METADATA.validate_json(_whole(store, store.path / where))
    except (OSError, ValueError, StoreUnavailable):
        return None
    return sum(chunk.length for one in metadata.objects for chunk in one.values())


def verify(
    store: ManifestStore, volume: VolumeRecord, on_progress: Callable[[float, float], object]
) -> VolumeDigest:
    """See ``drills.verify.VerifiesStore``."""
    chain = chain_of(volume)
    ids = tuple(backup.id for backup in chain)
    files = [_file(store, backup.record) for backup in chain]
    if not chain or None in files:
        driver = chain[-1].record.get("backup_service", "") if chain else ""
        why = f"backup driver {driver} keeps them elsewhere" if chain else "it has no backup"
        return VolumeDigest(volume.name, volume.id, ids, unknown=why)
    store.check()
    work = _Work(store, volume.name or volume.id, on_progress, float(volume.size_gib * 2**30 * len(chain)))
    known: dict[int, str] = {}
    for backup, where in zip(chain, files, strict=True):
        digests = work.compare(backup, where or PurePosixPath(), known)
    missing = next((n for n, wanted in enumerate(digests.sha256s) if known.get(n) != wanted), None)
    if missing is not None:
        raise work.failed(chain[-1].id, f"block {missing} is in no chunk of its chain as it was backed up")
    digest = _digest(digests)
    if chain[-1].digest not in (None, digest):
        raise work.failed(
            chain[-1].id,
            f"its digests are {digest} together, and {chain[-1].digest} in the signed restore point",
        )
    return VolumeDigest(
        volume.name,
        volume.id,
        ids,
        digest,
        len(digests.sha256s),
        digests.chunk_size,
        chain[-1].digest is not None,
    )


@dataclass
class _Work:
    """The comparison of one volume."""

    store: ManifestStore
    volume: str
    on_progress: Callable[[float, float], object]
    total: float
    done: float = 0.0

    def failed(self, backup: str, what: str) -> StepFailed:
        return StepFailed(f"volume {self.volume}: backup {backup}: {what}: {_REMEDY}")

    def compare(self, backup: BackupRecord, where: PurePosixPath, known: dict[int, str]) -> _Digests:
        """Every chunk of one backup; ``known`` gets the digest of each block that is as it was backed up."""
        path = self.store.path / where
        try:
            metadata = _METADATA.validate_json(_whole(self.store, path))
            digests = _digests(self.store, path)
        except FileNotFoundError as error:
            raise self.failed(backup.id, f"{error.filename} is not there") from error
        except ValidationError as error:
            raise self.failed(backup.id, f"{path}: {error.errors()[0]['msg']}") from error
        chunks = [(name, chunk) for one in metadata.objects for name, chunk in one.items()]
        for name, chunk in chunks:
            for number, digest in self._blocks(backup.id, path.parent, name, chunk, digests):
                known[number] = digest
            self.done += chunk.length
            self.on_progress(self.done, self.total)
        return digests

    def _blocks(
        self, backup: str, folder: Path, name: str, chunk: _Chunk, digests: _Digests
    ) -> Iterator[tuple[int, str]]:
        shown = f"chunk {name} (bytes {chunk.offset} to {chunk.offset + chunk.length - 1} of the volume)"
        packing = _ALIKE.get(chunk.compression.lower(), chunk.compression.lower())
        if packing not in UNPACK:
            raise self.failed(
                backup, f"{shown} is packed with {chunk.compression}, which cannot be read here"
            )
        if "/" in name:
            raise self.failed(backup, f"{shown} is no file of its folder")
        at = chunk.offset
        try:
            for block in blocks(UNPACK[packing](pieces(self.store, folder / name)), digests.chunk_size):
                number, digest = at // digests.chunk_size, hashlib.sha256(block).hexdigest()
                if number >= len(digests.sha256s) or digests.sha256s[number] != digest:
                    what = (
                        f"block {number} (bytes {at} to {at + len(block) - 1} of the volume) in chunk {name}"
                    )
                    raise self.failed(backup, f"{what} is not what was backed up: its sha256 is {digest}")
                yield number, digest
                at += len(block)
        except FileNotFoundError as error:
            raise self.failed(backup, f"{shown} is not there") from error
        except DAMAGED as error:
            what = f"{shown} cannot be unpacked from byte {at} of the volume on: it was changed ({error})"
            raise self.failed(backup, what) from error
        if at != chunk.offset + chunk.length:
            raise self.failed(backup, f"{shown} has {at - chunk.offset} bytes, not {chunk.length}")


@answering
def _whole(_store: ManifestStore, path: Path) -> bytes:
    return path.read_bytes()


def _file(store: ManifestStore, record: Mapping[str, str]) -> PurePosixPath | None:
    """The metadata of a backup, below the folder that is mounted; None where Cinder keeps its files elsewhere."""
    found = metadata_file(record, FolderStore.cinder_drivers)
    return PurePosixPath(*found) if found and isinstance(store.objects, FolderStore) else None


def _digests(store: ManifestStore, metadata: Path) -> _Digests:
    path = metadata.with_name(metadata.name.removesuffix("_metadata") + "_sha256file")
    return _DIGESTS.validate_json(_whole(store, path))


def _digest(digests: _Digests) -> str:
    """Over the digests of all blocks, in order."""
    found = hashlib.sha256()
    for one in digests.sha256s:
        found.update(bytes.fromhex(one))
    return found.hexdigest()
