"""Whether the data of backups are in the backup store that Multisite has mounted.

Source: Cinder's ``backup/drivers/posix.py`` (the NFS driver is one, too) and ``chunkeddriver.py``: a backup's files
are ``<container>/<service_metadata>_metadata``, ``..._sha256file`` and ``...-00001``; without the first it cannot be
restored.  Deleting a backup removes its files and leaves the container, a folder of its own unless
``backup_container`` names one for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from multisite.clouds.volumes import decoded
from multisite.domain.findings import Finding, Severity, blocking
from multisite.domain.manifest import Manifest
from multisite.recovery.manifests import ManifestStore, StoreUnavailable, answering
from multisite.recovery.methods.base import DATA_GONE, StoreAnswer
from multisite.recovery.methods.consistent_backup.origin import shown
from multisite.recovery.methods.consistent_backup.payload import chain_of

_DRIVERS = frozenset({"posix", "nfs"})


@dataclass(frozen=True)
class StoredData:
    """``seen`` and ``missing``: ids of backups.  ``unknown``: why nothing can be said of the others, "" if there are
    none.
    """

    seen: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    unknown: str = ""


def check(store: ManifestStore, manifest: Manifest) -> StoreAnswer:
    """What the store says of all backups of a restore point."""
    chains = [(volume, chain_of(volume)) for volume in manifest.volumes if volume.payload]
    found = look(store, {backup.id: backup.record for _, chain in chains for backup in chain})
    gone = tuple(
        blocking(
            "",
            DATA_GONE,
            f"the data of {shown(lost)} of volume {volume.name or volume.id} are not in the backup store any more",
            "recover from another restore point",
        )
        for volume, chain in chains
        if (lost := [backup.id for backup in chain if backup.id in found.missing])
    )
    unknown = Finding(
        "",
        "backups",
        f"whether their data are still there is not known: {found.unknown}",
        "what is gone fails when it is restored",
        "look there, or ask the site where they were made once it answers",
        Severity.UNKNOWN,
    )
    return StoreAnswer(gone, found.seen, unknown if found.unknown else None)


def look(store: ManifestStore, records: Mapping[str, Mapping[str, str]]) -> StoredData:
    """Look for the data of backups, by id what ``export_record`` gave of each.  Never raises StoreUnavailable.

    Missing is what has an empty folder, or none where others of these have theirs: a store that has none of them may
    not be the one that they were written to.
    """
    try:
        return _look(store, records)
    except StoreUnavailable as error:
        return StoredData(unknown=str(error))


@answering
def _look(store: ManifestStore, records: Mapping[str, Mapping[str, str]]) -> StoredData:
    store.check()
    seen, missing, without_folder, reasons = set(), set(), set(), set()
    for id, record in records.items():
        try:
            where = _where(record)
            if where is None:
                driver = record.get("backup_service", "")
                reasons.add(f"its backup driver {driver} keeps them elsewhere")
            elif _there(store.path / where):
                seen.add(id)
            elif _there(store.path / where.parent):
                missing.add(id)
            else:
                without_folder.add(id)
        except OSError as error:
            reasons.add(f"{store.path}: {error.strerror or error}")
    if without_folder and (seen or missing):
        missing |= without_folder
    elif without_folder:
        reasons.add(
            f"{store.path} has none of them: it may not be the folder that cinder-backup of their site writes to"
        )
    return StoredData(frozenset(seen), frozenset(missing), "; ".join(sorted(reasons)))


def _where(record: Mapping[str, str]) -> PurePosixPath | None:
    """The file without which it cannot be restored, below the store; None where the record does not tell."""
    row = decoded(record)
    module = record.get("backup_service", "").split(".")
    if row is None or len(module) < 2 or not _DRIVERS & set(module[-2:]):
        return None
    container, prefix = row.get("container"), row.get("service_metadata")
    if not isinstance(container, str) or not isinstance(prefix, str) or not container or not prefix:
        return None
    found = PurePosixPath(container, f"{prefix}_metadata")
    return None if found.is_absolute() or ".." in found.parts else found


def _there(path: Path) -> bool:
    """OSError when it cannot be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
