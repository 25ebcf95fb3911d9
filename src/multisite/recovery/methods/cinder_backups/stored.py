"""Whether the data of backups are in the backup store that Multisite sees.

Source: Cinder's ``backup/drivers/posix.py`` (the NFS driver is one, too), ``s3.py``, ``swift.py`` and
``chunkeddriver.py``: a backup's files are ``<container>/<service_metadata>_metadata``, ``..._sha256file`` and
``...-00001``; without the first it cannot be restored.  Deleting a backup removes its files and leaves the container:
in a folder one of its own unless ``backup_container`` names one for all, in S3 and Swift one for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from multisite.clouds.volumes import decoded
from multisite.domain.findings import Finding, Severity, blocking
from multisite.domain.manifest import Manifest
from multisite.recovery.manifests import ManifestStore, StoreUnavailable, answering
from multisite.recovery.methods.base import DATA_GONE, StoreAnswer
from multisite.recovery.methods.cinder_backups.origin import shown
from multisite.recovery.methods.cinder_backups.payload import chain_of

_AT_ONCE = 8


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

    Missing is what left a trace, or none where others of these have theirs: a store that has none of them may not be
    the one that they were written to.
    """
    try:
        return _look(store, records)
    except StoreUnavailable as error:
        return StoredData(unknown=str(error))


@answering
def _look(store: ManifestStore, records: Mapping[str, Mapping[str, str]]) -> StoredData:
    store.check()
    seen, missing, traceless = set[str](), set[str](), set[str]()
    reasons = set[str]()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = zip(
            records, threads.map(lambda record: _held(store, record), records.values()), strict=True
        )
    for id, held in answers:
        if isinstance(held, str):
            reasons.add(held)
        else:
            {True: seen, False: missing, None: traceless}[held].add(id)
    if traceless and (seen or missing):
        missing |= traceless
    elif traceless:
        reasons.add(
            f"{store.place} has none of them: it may not be where cinder-backup of their site writes to"
        )
    return StoredData(frozenset(seen), frozenset(missing), "; ".join(sorted(reasons)))


def _held(store: ManifestStore, record: Mapping[str, str]) -> bool | str | None:
    """As ``ObjectStore.holds``; why it cannot be told."""
    where = metadata_file(record, store.objects.cinder_drivers)
    if where is None:
        return f"its backup driver {record.get('backup_service', '')} keeps them elsewhere"
    try:
        return store.objects.holds(*where)
    except StoreUnavailable as error:
        return str(error)


def metadata_file(record: Mapping[str, str], drivers: frozenset[str]) -> tuple[str, str] | None:
    """Container and name of the file without which it cannot be restored; None where the record does not tell."""
    row = decoded(record)
    module = record.get("backup_service", "").split(".")
    if row is None or len(module) < 2 or not drivers & set(module[-2:]):
        return None
    container, prefix = row.get("container"), row.get("service_metadata")
    if not isinstance(container, str) or not isinstance(prefix, str) or not container or not prefix:
        return None
    found = PurePosixPath(container, f"{prefix}_metadata")
    return None if found.is_absolute() or ".." in found.parts else (container, f"{prefix}_metadata")
