"""What a manifest keeps of a volume this method protected: the chain of Cinder backups to restore it from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from multisite.domain.manifest import ManifestError, Payload, VolumeRecord
from multisite.domain.validation import first_problem

NAME = "consistent-backup"
BACKUP_SECONDS, BACKUP_SECONDS_PER_GIB = 1800.0, 600.0
"""How long one backup may take: so many seconds, and so many more for each GiB."""


@dataclass(frozen=True)
class BackupRecord:
    """One Cinder backup of a chain.

    ``record`` is what another Cinder's ``import_record`` takes: ``GET /backups/{id}/export_record`` verbatim.
    """

    id: str
    incremental: bool
    created_at: datetime
    size_gib: int
    record: dict[str, str]


@dataclass(frozen=True)
class BackupChain:
    """``backups``: oldest (full) first.  ``snapshot_id``: what the newest was made of; it is gone by now."""

    backups: tuple[BackupRecord, ...]
    snapshot_id: str | None = None


_CHAIN: TypeAdapter[BackupChain] = TypeAdapter(BackupChain)


def payload_of(chain: BackupChain) -> Payload:
    """The chain as a manifest keeps it."""
    return Payload(NAME, _CHAIN.dump_python(chain, mode="json"))


def chain_of(volume: VolumeRecord) -> tuple[BackupRecord, ...]:
    """The backups to restore a volume from, oldest (full) first; empty for a volume without any.

    Raises ManifestError naming the field for a payload that is not this method's.
    """
    if volume.payload is None:
        return ()
    if volume.payload.method != NAME:
        raise ManifestError(f"volume {volume.id}: payload.method: {volume.payload.method!r} is not {NAME!r}")
    try:
        return _CHAIN.validate_python(volume.payload.data).backups
    except ValidationError as error:
        raise ManifestError(f"volume {volume.id}: {first_problem(error, 'payload', 'data')}") from error


def backup_timeout(size_gib: int) -> float:
    """Seconds one backup of that size may take, or its deletion."""
    return BACKUP_SECONDS + BACKUP_SECONDS_PER_GIB * size_gib
