"""What a manifest keeps of a volume that is in Cinder backups: the chain of them to restore it from.

Methods that make backups have it in common, so one may build on what another made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from multisite.domain.manifest import Manifest, ManifestError, Payload, VolumeRecord
from multisite.domain.validation import first_problem

CONSISTENT_BACKUP, INSTANCE_SNAPSHOT = "consistent-backup", "instance-snapshot"
NAMES = frozenset({CONSISTENT_BACKUP, INSTANCE_SNAPSHOT})
"""The methods whose payload is a chain."""
BACKUP_SECONDS, BACKUP_SECONDS_PER_GIB = 1800.0, 600.0
"""How long one backup may take: so many seconds, and so many more for each GiB."""


@dataclass(frozen=True)
class BackupRecord:
    """One Cinder backup of a chain.

    ``record`` is what another Cinder's ``import_record`` takes: ``GET /backups/{id}/export_record`` verbatim.
    ``digest``: over the sha256 of every block of the volume, as this backup has read it (``blocks``); None: not known.
    ``bytes``: so many of the volume's it carries, an incremental one those of blocks that had changed; None: not known.
    """

    id: str
    incremental: bool
    created_at: datetime
    size_gib: int
    record: dict[str, str]
    digest: str | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class BackupChain:
    """``backups``: oldest (full) first.  ``snapshot_id``: what the newest was made of; it is gone by now."""

    backups: tuple[BackupRecord, ...]
    snapshot_id: str | None = None


_CHAIN: TypeAdapter[BackupChain] = TypeAdapter(BackupChain)


def payload_of(chain: BackupChain, method: str = CONSISTENT_BACKUP) -> Payload:
    """The chain as a manifest keeps it; ``method`` made its newest backup."""
    return Payload(method, _CHAIN.dump_python(chain, mode="json"))


def chain_of(volume: VolumeRecord) -> tuple[BackupRecord, ...]:
    """The backups to restore a volume from, oldest (full) first; empty for a volume without any.

    Raises ManifestError naming the field for a payload that is none of ``NAMES``.
    """
    if volume.payload is None:
        return ()
    if volume.payload.method not in NAMES:
        known = " or ".join(sorted(NAMES))
        raise ManifestError(f"volume {volume.id}: payload.method: {volume.payload.method!r} is not {known}")
    try:
        return _CHAIN.validate_python(volume.payload.data).backups
    except ValidationError as error:
        raise ManifestError(f"volume {volume.id}: {first_problem(error, 'payload', 'data')}") from error


def carried(manifest: Manifest) -> tuple[int, float] | None:
    """Bytes that had changed in a restore point's volumes, and in how many seconds; None: its backups do not tell.

    As its newest backups carry them: each has to be an incremental one, whose bytes are known.
    """
    total, seconds = 0, list[float]()
    for volume in manifest.volumes:
        if volume.payload is None or volume.payload.method not in NAMES:
            return None
        *before, newest = chain_of(volume)
        if not before or not newest.incremental or newest.bytes is None:
            return None
        total += newest.bytes
        seconds.append((newest.created_at - before[-1].created_at).total_seconds())
    return (total, max(seconds)) if seconds and max(seconds) > 0 else None


def backup_timeout(size_gib: int) -> float:
    """Seconds one backup of that size may take, or its deletion."""
    return BACKUP_SECONDS + BACKUP_SECONDS_PER_GIB * size_gib
